"""Every pair of systems as a matrix of differences: what is significant, what is seeds'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from resrank.reporting.figures.effectiveness_cost import (
    ACROSS,
    STYLE,
    explain,
    grid,
    name_panel,
    save,
    width_of,
)

CELL = 0.5  # inches
FEWEST = 3  # cells that a panel has room for, so that its name fits
LEGEND = (
    "Row minus column, {metric} x 100, seeds averaged per query. Bold with a frame: significant (p "
    "below 0.05, randomisation test, Holm's correction over the pairs of a panel). ~: no larger "
    "than the range over the seeds of one of the two."
)


def difference_matrix(
    found: Mapping[tuple[str, str], Mapping[str, Any]],
    labels: Mapping[str, str],
    note: str,
    out: Path,
) -> list[Path]:
    """Draw a panel a candidate set, as `<out>.svg` and `<out>.png`.

    Systems stand in one order, the best mean over all sets first, so that panels share labels.
    """
    names = best_first(found)
    metric = next(iter(found.values()))["metric"]
    side = CELL * max(FEWEST, len(names))
    beside = width_of(labels.get(name, name) for name in names) / min(ACROSS, len(found))
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = grid(len(found), side + beside + 0.3, side + 0.8)
        for number, ((dataset, stage), statistics) in enumerate(found.items()):
            axis = axes[number]
            _panel(axis, statistics, names)
            name_panel(axis, dataset, stage, pad=18)
            if number % ACROSS == 0:
                named = [f"{labels.get(name, name)}  {i}" for i, name in enumerate(names, 1)]
                axis.set_yticks(range(len(names)), named, fontsize=8)
        explain(figure, note + LEGEND.format(metric=metric))
        return [save(figure, out.with_suffix(f".{ending}")) for ending in ("svg", "png")]


def best_first(found: Mapping[tuple[str, str], Mapping[str, Any]]) -> list[str]:
    """The systems by their mean over candidate sets, the best first."""
    means: dict[str, list[float]] = {}
    for statistics in found.values():
        for row in statistics["systems"]:
            means.setdefault(row["system"], []).append(row["mean"])
    return sorted(means, key=lambda name: -float(np.mean(means[name])))


def _panel(axis: Axes, statistics: Mapping[str, Any], names: Sequence[str]) -> None:
    place = {name: i for i, name in enumerate(names)}
    grid = np.zeros((len(names), len(names)))
    for pair in statistics["pairs"]:
        a, b = place[pair["a"]], place[pair["b"]]
        grid[a, b], grid[b, a] = pair["difference"], -pair["difference"]
    limit = max(float(np.abs(grid).max()), 1e-9)
    axis.imshow(grid, cmap="PuOr_r", vmin=-2 * limit, vmax=2 * limit)
    for pair in statistics["pairs"]:
        a, b = place[pair["a"]], place[pair["b"]]
        for row, column, sign in ((a, b, 1), (b, a, -1)):
            _cell(axis, row, column, sign * pair["difference"], pair, statistics["level"])
    if len(names) == 1:
        axis.text(0, 0, "one system,\nno pair", ha="center", va="center", fontsize=6.5)
    numbers = [str(i + 1) for i in range(len(names))]
    axis.set_xticks(range(len(names)), numbers, fontsize=8)
    axis.set_yticks(range(len(names)), numbers, fontsize=8)
    axis.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    axis.spines[:].set_visible(False)


def _cell(
    axis: Axes, row: int, column: int, value: float, pair: Mapping[str, Any], level: float
) -> None:
    significant = pair["p_holm"] < level
    text = f"{100 * value:+.1f}" + ("~" if pair["within_seeds"] else "")
    weight = "bold" if significant else "normal"
    axis.text(column, row, text, ha="center", va="center", fontsize=6.5, fontweight=weight)
    if significant:
        frame = mpl.patches.Rectangle(
            (column - 0.46, row - 0.46), 0.92, 0.92, fill=False, lw=0.7, ec="#333333"
        )
        axis.add_patch(frame)
