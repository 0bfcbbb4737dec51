"""Every pair of systems as a matrix of differences: what is significant, what is seeds'."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from resrank.reporting.figures import STYLE, save

mpl.use("Agg")
import matplotlib.pyplot as plt

CELL, LABELS = 0.52, 3.4  # inches
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
    """Draw a panel a candidate set, below one another, as `<out>.svg` and `<out>.png`."""
    count = max(len(statistics["systems"]) for statistics in found.values())
    metric = next(iter(found.values()))["metric"]
    size = (LABELS + CELL * count, len(found) * (0.9 + CELL * count))
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = plt.subplots(
            len(found), 1, figsize=size, squeeze=False, layout="constrained"
        )
        for axis, ((dataset, stage), statistics) in zip(axes.flat, found.items(), strict=True):
            _panel(axis, statistics, labels)
            axis.set_title(f"{dataset}, first stage {stage}", loc="left", fontsize=9, pad=18)
        said = textwrap.fill(note + LEGEND.format(metric=metric), int(15 * size[0]))
        figure.text(0.01, -0.01, said, fontsize=7, color="#444444", va="top")
        return [save(figure, out.with_suffix(f".{ending}")) for ending in ("svg", "png")]


def _panel(axis: Axes, statistics: Mapping[str, Any], labels: Mapping[str, str]) -> None:
    names = [row["system"] for row in sorted(statistics["systems"], key=lambda row: -row["mean"])]
    place = {name: i for i, name in enumerate(names)}
    grid = np.zeros((len(names), len(names)))
    for pair in statistics["pairs"]:
        a, b = place[pair["a"]], place[pair["b"]]
        grid[a, b], grid[b, a] = pair["difference"], -pair["difference"]
    limit = max(float(np.abs(grid).max()), 1e-9)
    axis.imshow(grid, cmap="PuOr_r", vmin=-1.6 * limit, vmax=1.6 * limit)
    for pair in statistics["pairs"]:
        a, b = place[pair["a"]], place[pair["b"]]
        for row, column, sign in ((a, b, 1), (b, a, -1)):
            _cell(axis, row, column, sign * pair["difference"], pair, statistics["level"])
    axis.set_xticks(range(len(names)), [str(i + 1) for i in range(len(names))], fontsize=8)
    shown = [f"{labels.get(name, name)}  {i + 1}" for i, name in enumerate(names)]
    axis.set_yticks(range(len(names)), shown, fontsize=8)
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
