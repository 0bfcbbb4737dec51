"""Matrix of differences between all pairs of systems, with their significance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from resrank.reporting.figures.style import (
    PANELS_PER_ROW,
    STYLE,
    add_caption,
    grid,
    label_width,
    name_panel,
    save,
)

CELL = 0.5  # inches
FEWEST = 3  # cells that a panel has space for, so that its name fits
LEGEND = (
    "Row minus column, {metric} x 100, seeds averaged per query. Bold with a frame: significant (p "
    "below 0.05, randomisation test, Holm's correction over the pairs of a panel). ~: no larger "
    "than the range over seeds of one of the two systems."
)
StatisticsBySet = Mapping[tuple[str, str], Mapping[str, Any]]
"""(collection, first stage) -> the statistics that `significance` wrote."""


def difference_matrix(
    statistics: StatisticsBySet, labels: Mapping[str, str], note: str, out: Path
) -> list[Path]:
    """Draw one panel per candidate set, as `<out>.svg` and `<out>.png`.

    All panels list the systems in one order, by falling mean over all sets, and share labels.
    Companions, which are in no pair, are left out.
    """
    companions = companions_in(statistics)
    names = [name for name in best_first(statistics) if name not in companions]
    metric = next(iter(statistics.values()))["metric"]
    side = CELL * max(FEWEST, len(names))
    named = label_width(labels.get(name, name) for name in names)
    width = side + named / min(PANELS_PER_ROW, len(statistics)) + 0.3
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = grid(len(statistics), width, side + 0.8)
        for number, ((collection, stage), results) in enumerate(statistics.items()):
            axis = axes[number]
            _draw_panel(axis, results, names)
            name_panel(axis, collection, stage, pad=18)
            if number % PANELS_PER_ROW == 0:
                texts = [f"{labels.get(name, name)}  {i}" for i, name in enumerate(names, 1)]
                axis.set_yticks(range(len(names)), texts, fontsize=8)
        add_caption(figure, note + LEGEND.format(metric=metric))
        return save(figure, out)


def best_first(statistics: StatisticsBySet) -> list[str]:
    """Return the systems by their mean over candidate sets, the best first."""
    means: dict[str, list[float]] = {}
    for results in statistics.values():
        for row in results["systems"]:
            means.setdefault(row["system"], []).append(row["mean"])
    return sorted(means, key=lambda name: -float(np.mean(means[name])))


def companions_in(statistics: StatisticsBySet) -> set[str]:
    """Return the systems that are compared as untrained selves alone."""
    rows = (row for results in statistics.values() for row in results["systems"])
    return {row["system"] for row in rows if row["companion"]}


def _draw_panel(axis: Axes, results: Mapping[str, Any], names: Sequence[str]) -> None:
    place = {name: i for i, name in enumerate(names)}
    differences = np.zeros((len(names), len(names)))
    for pair in results["pairs"]:
        a, b = place[pair["a"]], place[pair["b"]]
        differences[a, b], differences[b, a] = pair["difference"], -pair["difference"]
    limit = max(float(np.abs(differences).max()), 1e-9)
    axis.imshow(differences, cmap="PuOr_r", vmin=-2 * limit, vmax=2 * limit)
    for pair in results["pairs"]:
        a, b = place[pair["a"]], place[pair["b"]]
        _draw_cell(axis, a, b, pair["difference"], pair, results["level"])
        _draw_cell(axis, b, a, -pair["difference"], pair, results["level"])
    if len(names) == 1:
        axis.text(0, 0, "one system,\nno pair", ha="center", va="center", fontsize=6.5)
    numbers = [str(i + 1) for i in range(len(names))]
    axis.set_xticks(range(len(names)), numbers, fontsize=8)
    axis.set_yticks(range(len(names)), numbers, fontsize=8)
    axis.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    axis.spines[:].set_visible(False)


def _draw_cell(
    axis: Axes, row: int, column: int, value: float, pair: Mapping[str, Any], level: float
) -> None:
    significant = pair["p_holm"] < level
    text = f"{100 * value:+.1f}" + ("~" if pair["within_seeds"] else "")
    weight = "bold" if significant else "normal"
    axis.text(column, row, text, ha="center", va="center", fontsize=6.5, fontweight=weight)
    if significant:
        corner = (column - 0.46, row - 0.46)
        frame = mpl.patches.Rectangle(corner, 0.92, 0.92, fill=False, lw=0.7, ec="#333333")
        axis.add_patch(frame)
