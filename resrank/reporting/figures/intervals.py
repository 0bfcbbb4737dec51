"""Each system's mean on each candidate set, with its interval over queries and its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

from resrank.reporting.figures.difference_matrix import (
    StatisticsBySet,
    best_first,
    companions_in,
)
from resrank.reporting.figures.style import (
    PANELS_PER_ROW,
    STYLE,
    add_caption,
    grid,
    label_width,
    name_panel,
    save,
)

ROW = 0.24  # inches
COLOUR = "#0072B2"
LEGEND = (
    "Dot: {metric}, mean over queries and seeds. Line: its 95% bootstrap interval over queries. "
    "Bars: the least and the largest mean over seeds. Overlapping intervals do not show whether "
    "two systems differ on the same queries; the matrix of significance does."
)
HOLLOW = " Hollow: a trained system's untrained self."


def scores_with_intervals(
    statistics: StatisticsBySet, labels: Mapping[str, str], note: str, out: Path
) -> list[Path]:
    """Draw one panel per candidate set, as `<out>.svg` and `<out>.png`; one order of systems."""
    names = best_first(statistics)
    metric = next(iter(statistics.values()))["metric"]
    texts = [labels.get(name, name) for name in names]
    width = 2.6 + label_width(texts) / min(PANELS_PER_ROW, len(statistics))
    with mpl.rc_context(STYLE):
        figure, axes = grid(len(statistics), width, ROW * len(names) + 0.85)
        for number, ((collection, stage), results) in enumerate(statistics.items()):
            axis = axes[number]
            _draw_panel(axis, results, names)
            axis.set_xlabel(metric, fontsize=9)
            name_panel(axis, collection, stage)
            first = number % PANELS_PER_ROW == 0
            axis.set_yticks(range(len(names)), texts if first else [""] * len(names), fontsize=8)
        hollow = HOLLOW if companions_in(statistics) else ""
        add_caption(figure, f"{note}\n{LEGEND.format(metric=metric)}{hollow}")
        return save(figure, out)


def _draw_panel(axis: Axes, results: Mapping[str, Any], names: Sequence[str]) -> None:
    for system in results["systems"]:
        row = names.index(system["system"])
        face = "white" if system["companion"] else COLOUR
        axis.plot([system["low"], system["high"]], [row, row], color=COLOUR, lw=1.4)
        axis.plot([system["mean"]], [row], "o", color=COLOUR, ms=5, markerfacecolor=face)
        if system["min"] is not None:
            ends = [system["min"], system["max"]]
            axis.plot(ends, [row, row], "|", color="#000000", ms=9, mew=1.2)
    axis.set_ylim(len(names) - 0.5, -0.5)
