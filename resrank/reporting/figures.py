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
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*"]
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
        size = (4.6 * len(panels) + 2.9, 4.3)
        figure, axes = plt.subplots(1, len(panels), figsize=size, squeeze=False)
        for axis, ((collection, stage), rows) in zip(axes[0], panels, strict=True):
            _panel(axis, rows, metric, online, cached)
            axis.set_title(f"{collection}, first stage {stage}", loc="left", fontsize=9)
            axis.set_xlabel(label)
        axes[0][0].set_ylabel(f"{metric} (mean over seeds)")
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="center left", bbox_to_anchor=(1.0, 0.55), fontsize=8)
        width = int(15 * size[0])  # letters of this size in the figure's width
        note = "\n".join(textwrap.fill(line, width) for line in note.splitlines())
        figure.text(0.01, -0.02, note, fontsize=7, color="#444444", va="top")
        figure.tight_layout()
        return [save(figure, out.with_suffix(f".{ending}")) for ending in ("svg", "png")]


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
    axis.set_xscale("symlog" if (rows[cached].min() <= 0) else "log", **_threshold(rows, cached))
    axis.margins(0.08, 0.12)


def colour_and_marker(place: int) -> tuple[str, str]:
    """How a system is drawn, by its place in the suite; 64 of them look different."""
    turn = place // len(COLOURS)
    return COLOURS[place % len(COLOURS)], MARKERS[(place + turn) % len(MARKERS)]


def _threshold(rows: pd.DataFrame, cached: str) -> dict[str, float]:
    return {"linthresh": 0.1} if rows[cached].min() <= 0 else {}


def save(figure: Figure, path: Path) -> Path:
    """Write a figure whole, the same bytes for the same content; close it after its PNG."""
    kind = path.suffix.removeprefix(".")
    plain = {"Date": None} if kind == "svg" else {"Software": None}
    with atomic_file(path) as partial:
        figure.savefig(partial, format=kind, bbox_inches="tight", metadata=plain)
    if kind == "png":
        plt.close(figure)
    return path
