"""Effectiveness against cost: one panel a candidate set, encoding of passages never hidden.

A filled marker counts passage encoding; a hollow one, joined to it, has the embeddings cached.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resrank.files import atomic_file

mpl.use("Agg")
import matplotlib.pyplot as plt

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "d", "p", "h"]
ACROSS = 3  # panels beside one another
LETTERS = 18  # of a caption's size, to an inch
LEGEND = 2.9  # inches
STYLE: dict[Any, Any] = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.color": "#dddddd", "grid.linewidth": 0.6, "axes.axisbelow": True,
    "svg.hashsalt": "resrank", "figure.dpi": 160, "legend.frameon": False,
}  # fmt: skip


def effectiveness_against(
    frame: pd.DataFrame, metric: str, online: str, cached: str, label: str, note: str, out: Path
) -> list[Path]:
    """Scatter `metric` against a cost (log axis), as `<out>.svg` and `<out>.png`."""
    with mpl.rc_context(STYLE):
        panels = list(frame.groupby(["collection", "first_stage"], sort=False))
        figure, axes = grid(len(panels), 4.6, 4.3, beside=LEGEND)
        for axis, ((collection, stage), rows) in zip(axes, panels, strict=True):
            _panel(axis, rows, metric, online, cached)
            axis.set_title(f"{collection}, first stage {stage}", loc="left", fontsize=9)
            axis.set_xlabel(label)
        figure.supylabel(f"{metric} (mean over seeds)", fontsize=9)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", fontsize=8)
        explain(figure, note)
        return [save(figure, out.with_suffix(f".{ending}")) for ending in ("svg", "png")]


def grid(
    panels: int, width: float, height: float, beside: float = 0.0
) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels, at most `ACROSS` beside one another; and these.

    width, height: of a panel; beside: of a legend right of them; in inches.
    """
    across = min(ACROSS, panels)
    down = -(-panels // across)
    size = (width * across + beside, height * down)
    figure, axes = plt.subplots(down, across, figsize=size, squeeze=False, layout="constrained")
    for unused in axes.flat[panels:]:
        unused.set_axis_off()
    return figure, list(axes.flat[:panels])


def explain(figure: Figure, text: str) -> None:
    """A caption below a figure, as wide as that; its own line breaks stay."""
    width = int(LETTERS * figure.get_figwidth())
    said = "\n".join(textwrap.fill(line, width) for line in text.splitlines())
    down = -0.1 / figure.get_figheight()
    figure.text(0.01, down, said, fontsize=7, color="#444444", va="top")


def _panel(axis: Axes, rows: pd.DataFrame, metric: str, online: str, cached: str) -> None:
    for place, row in enumerate(rows.to_dict("records")):
        colour, marker = colour_and_marker(place)
        look: dict[str, Any] = {"marker": marker, "markersize": 8, "color": colour}
        look["linestyle"] = "none"
        score = row[metric]
        axis.plot([row[online]], [score], label=row["label"], **look)
        spread = row.get(f"{metric} sd")
        if pd.notna(spread):
            axis.errorbar([row[online]], [score], yerr=[spread], color=colour, capsize=2, lw=1)
        if row["caches_passages"] and pd.notna(row[cached]):
            axis.plot([row[cached], row[online]], [score, score], color=colour, lw=0.8, alpha=0.6)
            axis.plot([row[cached]], [score], **look, markerfacecolor="white")
    if rows[cached].min() > 0:
        axis.set_xscale("log")
    else:
        axis.set_xscale("symlog", linthresh=0.1)
        axis.set_xlim(-0.05, 2 * max(1.0, float(rows[online].max())))
    axis.margins(0.08, 0.12)


def colour_and_marker(place: int) -> tuple[str, str]:
    """How a system is drawn, by its place in the suite.

    A marker comes back after 13 systems, so that they differ in grey; the pair after 104.
    """
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]


def save(figure: Figure, path: Path) -> Path:
    """Write a figure whole, the same bytes for the same content; close it after its PNG."""
    kind = path.suffix.removeprefix(".")
    plain = {"Date": None} if kind == "svg" else {"Software": None}
    with atomic_file(path) as partial:
        figure.savefig(partial, format=kind, bbox_inches="tight", metadata=plain)
    if kind == "png":
        plt.close(figure)
    return path
