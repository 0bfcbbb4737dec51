"""Each system's mean on each candidate set, with its interval over queries and its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

from resrank.reporting.figures.difference_matrix import best_first
from resrank.reporting.figures.effectiveness_cost import (
    ACROSS,
    STYLE,
    explain,
    grid,
    name_panel,
    save,
    width_of,
)

ROW = 0.24  # inches
LEGEND = (
    "Dot: {metric}, mean over queries and seeds; line: its 95% bootstrap interval over queries; "
    "bars: the least and the largest mean over seeds. Intervals that overlap say nothing of a "
    "difference between two systems on the same queries: the matrix of significance does."
)


def scores_with_intervals(
    found: Mapping[tuple[str, str], Mapping[str, Any]],
    labels: Mapping[str, str],
    note: str,
    out: Path,
) -> list[Path]:
    """Draw a panel a candidate set, as `<out>.svg` and `<out>.png`; systems in one order."""
    names = best_first(found)
    metric = next(iter(found.values()))["metric"]
    beside = width_of(labels.get(name, name) for name in names) / min(ACROSS, len(found))
    with mpl.rc_context(STYLE):
        figure, axes = grid(len(found), 2.6 + beside, ROW * len(names) + 0.85)
        for number, ((dataset, stage), statistics) in enumerate(found.items()):
            axis = axes[number]
            _panel(axis, statistics, names)
            axis.set_xlabel(metric, fontsize=9)
            name_panel(axis, dataset, stage)
            shown = [labels.get(name, name) for name in names] if number % ACROSS == 0 else []
            axis.set_yticks(range(len(names)), shown or [""] * len(names), fontsize=8)
        explain(figure, f"{note}\n{LEGEND.format(metric=metric)}")
        return [save(figure, out.with_suffix(f".{ending}")) for ending in ("svg", "png")]


def _panel(axis: Axes, statistics: Mapping[str, Any], names: Sequence[str]) -> None:
    for system in statistics["systems"]:
        row = names.index(system["system"])
        axis.plot([system["low"], system["high"]], [row, row], color="#0072B2", lw=1.4)
        axis.plot([system["mean"]], [row], "o", color="#0072B2", ms=5)
        if system["min"] is not None:
            ends = [system["min"], system["max"]]
            axis.plot(ends, [row, row], "|", color="#000000", ms=9, mew=1.2)
    axis.set_ylim(len(names) - 0.5, -0.5)
