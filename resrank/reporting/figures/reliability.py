"""How often a predicted grade is the true one, against its probability: a panel a candidate set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from resrank.reporting.figures.effectiveness_cost import (
    STYLE,
    colour_and_marker,
    explain,
    legend,
    name_panel,
    save,
    with_legend,
)

SIZE = 220  # of a marker that all pairs are in, in square points
NOTE = (
    "Pairs in bins of the predicted grade's probability, seeds together; a marker's area is its "
    "share of the pairs. On the dashed line a probability is what it says; below it the system is "
    "too sure."
)


def reliability_figure(
    runs: Sequence[Mapping[str, Any]], labels: Mapping[str, str], note: str, out: Path
) -> list[Path]:
    """Draw `<out>.svg` and `<out>.png` from what `calibration` measured, a mapping a run."""
    panels: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for run in runs:
        panels[run["collection"], run["first_stage"]].append(run)
    with mpl.rc_context(STYLE):
        figure, axes = with_legend(len(panels), rows=len(labels))
        for axis, ((collection, stage), found) in zip(axes, panels.items(), strict=True):
            _panel(axis, found, labels)
            name_panel(axis, collection, stage)
            axis.set_xlabel("probability of the predicted grade", fontsize=8)
        figure.supylabel("share of pairs whose grade it is", fontsize=9)
        legend(figure, axes[0])
        explain(figure, note + NOTE)
        return [save(figure, out.with_suffix(f".{ending}")) for ending in ("svg", "png")]


def _panel(axis: Axes, runs: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> None:
    axis.plot([0, 1], [0, 1], color="#777777", ls="--", lw=0.8)
    for place, (system, label) in enumerate(labels.items()):
        colour, marker = colour_and_marker(place)
        pairs, confidence, correct = pooled([run for run in runs if run["system"] == system])
        line = axis.plot(confidence, correct, color=colour, marker=marker, ms=3, lw=1, label=label)
        areas = SIZE * pairs / max(1, pairs.sum())
        axis.scatter(
            confidence, correct, areas, color=line[0].get_color(), marker=marker, alpha=0.5
        )
    axis.set_xlim(0, 1.04)
    axis.set_ylim(-0.04, 1.04)
    axis.set_aspect("equal")


def pooled(runs: Sequence[Mapping[str, Any]]) -> tuple[Any, Any, Any]:
    """Pairs, mean confidence and share of correct pairs of each bin, the runs' pairs together."""
    bins: dict[int, Any] = defaultdict(lambda: np.zeros(3))
    for run in runs:
        for b in run["reliability"]:
            bins[b["bin"]] += [b["pairs"], b["confidence"], b["correct"]]
    sums = np.array([bins[number] for number in sorted(bins)]).reshape(-1, 3)
    return sums[:, 0], sums[:, 1] / sums[:, 0], sums[:, 2] / sums[:, 0]
