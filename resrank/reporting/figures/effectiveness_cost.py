"""Effectiveness against cost: one panel a candidate set, encoding of passages never hidden.

A filled marker counts passage encoding; a hollow one, joined to it, has the embeddings cached.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from resrank.io.atomic import atomic_file

mpl.use("Agg")
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "d", "p", "h"]
ACROSS = 3  # panels beside one another
LETTERS = 18  # of a caption's size, to an inch
LETTER = 0.6  # a letter's width, of its size
LEGEND = 2.9  # inches
MARKER, NESTED = 8.0, 0.78  # a marker's size in points; of one that lies upon another, times it
NEAR = 0.025  # of the span of all points: markers that lie upon each other
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
        figure, axes = with_legend(len(panels), rows=frame["system"].nunique())
        for axis, ((collection, stage), rows) in zip(axes, panels, strict=True):
            _panel(axis, rows, metric, online, cached)
            name_panel(axis, str(collection), str(stage))
            axis.set_xlabel(label)
        figure.supylabel(f"{metric} (mean over seeds)", fontsize=9)
        legend(figure, axes[0], size=MARKER)
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


def with_legend(panels: int, rows: int) -> tuple[Figure, list[Axes]]:
    """A figure of square panels with room for a `legend` of so many rows."""
    if panels == 1:
        return grid(1, 4.6, 4.3, beside=LEGEND)
    return grid(panels, 3.3, 3.1 + 0.09 * rows / -(-panels // ACROSS))


def legend(figure: Figure, axis: Axes, loc: Any = None, size: float | None = None) -> None:
    """A panel's names outside of all panels: right of a single one, in two columns below several.

    loc: where else, as matplotlib names it; size: of all markers, in points, if not as drawn.
    """
    handles, labels = axis.get_legend_handles_labels()
    single = len(figure.axes) == 1
    made = figure.legend(
        handles, labels, fontsize=8,
        loc=loc or ("outside right center" if single else "outside lower center"),
        ncols=1 if loc or single else 2,
    )  # fmt: skip
    if size is not None:
        for line in made.get_lines():
            line.set_markersize(size)


def name_panel(axis: Axes, collection: str, stage: str, pad: float | None = None) -> None:
    """Say above a panel which candidate set it shows, in lines that fit a narrow one."""
    axis.set_title(f"{collection}\nfirst stage {stage}", loc="left", fontsize=8, pad=pad)


def width_of(labels: Iterable[str], size: float = 8) -> float:
    """Inches that the longest of some labels needs, size: of their letters, in points."""
    return max((len(label) for label in labels), default=0) * LETTER * size / 72


def explain(figure: Figure, text: str) -> None:
    """A caption below a finished figure, as wide as that; its own line breaks stay.

    The figure is laid out for good: a legend would move to the edge of what the caption widens.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for legend in figure.legends:
        legend.set_bbox_to_anchor((0, 0, 1, 1), figure.transFigure)
    width = int(LETTERS * figure.get_figwidth())
    said = "\n".join(textwrap.fill(line, width) for line in text.splitlines())
    down = -0.1 / figure.get_figheight()
    figure.text(0.01, down, said, fontsize=7, color="#444444", va="top")


def _panel(axis: Axes, rows: pd.DataFrame, metric: str, online: str, cached: str) -> None:
    costs = rows[[online, cached]].astype(float)
    sizes = [MARKER * NESTED**under for under in _upon(costs, rows[metric])]
    for place, row in enumerate(rows.to_dict("records")):
        colour, marker = colour_and_marker(place)
        look: dict[str, Any] = {"marker": marker, "markersize": sizes[place], "color": colour}
        look["linestyle"] = "none"
        score = row[metric]
        axis.plot([row[online]], [score], label=row["label"], **look)
        spread = row.get(f"{metric} sd")
        if pd.notna(spread):
            axis.errorbar([row[online]], [score], yerr=[spread], color=colour, capsize=2, lw=1)
        if row["caches_passages"] and pd.notna(row[cached]):
            axis.plot([row[cached], row[online]], [score, score], color=colour, lw=0.8, alpha=0.6)
            axis.plot([row[cached]], [score], **look, markerfacecolor="white")
    least, most = np.nanmin(costs.to_numpy()), np.nanmax(costs.to_numpy())
    if least > 0:
        axis.set_xscale("log")
        axis.set_xlim(least / 2, most * 2)
        if most < 10 * least:  # too few powers of ten to label
            axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
    else:
        axis.set_xscale("symlog", linthresh=0.1)
        axis.set_xlim(-0.05, 2 * max(1.0, most))
    axis.margins(y=0.12)


def _upon(costs: pd.DataFrame, scores: pd.Series[float]) -> list[int]:
    """Upon how many earlier systems' markers each system's lie, with either of its costs."""
    across = np.log10(costs.clip(lower=0.1).to_numpy())
    down = scores.to_numpy(float)
    wide, high = (max(float(np.ptp(v[np.isfinite(v)])), 1e-9) for v in (across, down))
    near = np.abs(across[:, None] - across) < NEAR * wide
    upon = near.any(axis=2) & (np.abs(down[:, None] - down) < NEAR * high)
    return [int(upon[place, :place].sum()) for place in range(len(down))]


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
