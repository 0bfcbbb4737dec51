"""Reliability diagram: how often a predicted grade is true, against its probability."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from resrank.reporting.figures.style import (
    STYLE,
    add_caption,
    colour_and_marker,
    grid_with_legend,
    legend,
    name_panel,
    save,
)

FULL_SIZE = 220  # area of a marker that holds all pairs, in square points
NOTE = (
    "Pairs in bins of the predicted grade's probability, all seeds pooled; a marker's area is its "
    "share of the pairs. On the dashed line the probability equals the accuracy; below it the "
    "system is overconfident."
)


def reliability_figure(
    runs: Sequence[Mapping[str, Any]], labels: Mapping[str, str], note: str, out: Path
) -> list[Path]:
    """Draw `<out>.svg` and `<out>.png` from the measures that `calibration` wrote per run."""
    panels: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for run in runs:
        panels[run["collection"], run["first_stage"]].append(run)
    with mpl.rc_context(STYLE):
        figure, axes = grid_with_legend(len(panels), entries=len(labels))
        for axis, ((collection, stage), group) in zip(axes, panels.items(), strict=True):
            _draw_panel(axis, group, labels)
            name_panel(axis, collection, stage)
            axis.set_xlabel("probability of the predicted grade", fontsize=8)
        figure.supylabel("share of pairs with that grade", fontsize=9)
        legend(figure, axes[0])
        add_caption(figure, note + NOTE)
        return save(figure, out)


def _draw_panel(axis: Axes, runs: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> None:
    axis.plot([0, 1], [0, 1], color="#777777", ls="--", lw=0.8)
    for place, (system, label) in enumerate(labels.items()):
        colour, marker = colour_and_marker(place)
        pairs, confidence, correct = pooled([run for run in runs if run["system"] == system])
        line = axis.plot(confidence, correct, color=colour, marker=marker, ms=3, lw=1, label=label)
        areas = FULL_SIZE * pairs / max(1, pairs.sum())
        axis.scatter(
            confidence, correct, areas, color=line[0].get_color(), marker=marker, alpha=0.5
        )
    axis.set_xlim(0, 1.04)
    axis.set_ylim(-0.04, 1.04)
    axis.set_aspect("equal")


def pooled(runs: Sequence[Mapping[str, Any]]) -> tuple[Any, Any, Any]:
    """Return each bin's pairs, mean confidence and share of correct pairs over all runs."""
    bins: dict[int, Any] = defaultdict(lambda: np.zeros(3))
    for run in runs:
        for b in run["reliability"]:
            bins[b["bin"]] += [b["pairs"], b["confidence"], b["correct"]]
    sums = np.array([bins[number] for number in sorted(bins)]).reshape(-1, 3)
    return sums[:, 0], sums[:, 1] / sums[:, 0], sums[:, 2] / sums[:, 0]
