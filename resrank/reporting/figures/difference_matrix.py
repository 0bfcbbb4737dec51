"""Matrix of differences between all pairs of systems, with the significance of those tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

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
    "below 0.05, randomisation test, Holm's correction over the {family} of a panel). {untested}"
    "~: no larger than the range over seeds of one of the two systems."
)
UNTESTED = "Grey: not tested. "
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
    first = next(iter(statistics.values()))
    all_pairs = first["baseline"] is None
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
        family = "pairs" if all_pairs else "comparisons with the baseline"
        untested = "" if all_pairs else UNTESTED
        legend = LEGEND.format(metric=first["metric"], family=family, untested=untested)
        add_caption(figure, note + legend)
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


class MatrixCell(NamedTuple):
    """The difference of two systems' means. significant: None if it was not tested."""

    difference: float
    within_seeds: bool
    significant: bool | None


def cells(results: Mapping[str, Any]) -> dict[tuple[str, str], MatrixCell]:
    """Return the cell of each ordered pair of systems, companions left out."""
    rows = {row["system"]: row for row in results["systems"] if not row["companion"]}
    tested = {frozenset((pair["a"], pair["b"])): pair for pair in results["pairs"]}
    matrix: dict[tuple[str, str], MatrixCell] = {}
    for a, b in combinations(rows, 2):
        difference = rows[a]["mean"] - rows[b]["mean"]
        pair = tested.get(frozenset((a, b)))
        significant = None if pair is None else pair["p_holm"] < results["level"]
        within = abs(difference) <= max(_range(rows[a]), _range(rows[b]))
        matrix[a, b] = MatrixCell(difference, within, significant)
        matrix[b, a] = MatrixCell(-difference, within, significant)
    return matrix


def _range(row: Mapping[str, Any]) -> float:
    """Return the range of a system's means over seeds; below 0 for one seed, which has none."""
    return -1.0 if row["min"] is None else float(row["max"] - row["min"])


def _draw_panel(axis: Axes, results: Mapping[str, Any], names: Sequence[str]) -> None:
    place = {name: i for i, name in enumerate(names)}
    compared = cells(results)
    differences = np.zeros((len(names), len(names)))
    for (a, b), cell in compared.items():
        differences[place[a], place[b]] = cell.difference
    limit = max(float(np.abs(differences).max()), 1e-9)
    axis.imshow(differences, cmap="PuOr_r", vmin=-2 * limit, vmax=2 * limit)
    for (a, b), cell in compared.items():
        _draw_cell(axis, place[a], place[b], cell)
    if len(names) == 1:
        axis.text(0, 0, "one system,\nno pair", ha="center", va="center", fontsize=6.5)
    numbers = [str(i + 1) for i in range(len(names))]
    axis.set_xticks(range(len(names)), numbers, fontsize=8)
    axis.set_yticks(range(len(names)), numbers, fontsize=8)
    axis.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    axis.spines[:].set_visible(False)


def _draw_cell(axis: Axes, row: int, column: int, cell: MatrixCell) -> None:
    text = f"{100 * cell.difference:+.1f}" + ("~" if cell.within_seeds else "")
    look: dict[str, Any] = {"fontweight": "bold" if cell.significant else "normal"}
    look["color"] = "#777777" if cell.significant is None else "black"
    axis.text(column, row, text, ha="center", va="center", fontsize=6.5, **look)
    if cell.significant:
        corner = (column - 0.46, row - 0.46)
        frame = mpl.patches.Rectangle(corner, 0.92, 0.92, fill=False, lw=0.7, ec="#333333")
        axis.add_patch(frame)
