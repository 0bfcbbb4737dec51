"""Style, layout, legends, captions and saving that all figures share."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resrank.io.atomic import atomic_file

mpl.use("Agg")
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "d", "p", "h"]
PANELS_PER_ROW = 3
LETTERS_PER_INCH = 18  # at a caption's font size
LETTER_WIDTH = 0.6  # of the font size
LEGEND_WIDTH = 2.9  # inches
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "svg.hashsalt": "resrank",
    "figure.dpi": 160,
    "legend.frameon": False,
}


def colour_and_marker(place: int) -> tuple[str, str]:
    """Return a system's colour and marker by its place in the suite.

    Markers repeat after 13 systems, so systems differ without colour too. Pairs of colour and
    marker repeat after 104.
    """
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]


def grid(
    panels: int, width: float, height: float, legend_width: float = 0.0
) -> tuple[Figure, list[Axes]]:
    """Return a figure and its panels, at most `PANELS_PER_ROW` per row.

    width, height: of one panel. legend_width: space to the right of the panels. All in inches.
    """
    columns = min(PANELS_PER_ROW, panels)
    rows = -(-panels // columns)
    size = (width * columns + legend_width, height * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for unused in axes.flat[panels:]:
        unused.set_axis_off()
    return figure, list(axes.flat[:panels])


def grid_with_legend(panels: int, entries: int) -> tuple[Figure, list[Axes]]:
    """Return a figure of square panels with space for a `legend` of this many entries."""
    if panels == 1:
        return grid(1, 4.6, 4.3, legend_width=LEGEND_WIDTH)
    return grid(panels, 3.3, 3.1 + 0.09 * entries / -(-panels // PANELS_PER_ROW))


def legend(figure: Figure, axis: Axes, loc: Any = None, size: float | None = None) -> None:
    """Draw one panel's legend outside all panels.

    It is placed right of a single panel, and in two columns below several. loc: another place, as
    matplotlib names it. size: size of all markers in points, if not as drawn.
    """
    handles, labels = axis.get_legend_handles_labels()
    single = len(figure.axes) == 1
    drawn = figure.legend(
        handles,
        labels,
        fontsize=8,
        loc=loc or ("outside right center" if single else "outside lower center"),
        ncols=1 if loc or single else 2,
    )
    if size is not None:
        for line in drawn.get_lines():
            line.set_markersize(size)


def name_panel(axis: Axes, collection: str, stage: str, pad: float | None = None) -> None:
    """Write above a panel which candidate set it shows, in lines that fit a narrow panel."""
    axis.set_title(f"{collection}\nfirst stage {stage}", loc="left", fontsize=8, pad=pad)


def label_width(labels: Iterable[str], size: float = 8) -> float:
    """Return the inches that the longest label needs. size: of its letters, in points."""
    return max((len(label) for label in labels), default=0) * LETTER_WIDTH * size / 72


def add_caption(figure: Figure, text: str) -> None:
    """Write a caption below a finished figure, wrapped to its width; line breaks in it stay.

    The layout is fixed first. Otherwise a legend would move to the edge of the widened figure.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for box in figure.legends:
        box.set_bbox_to_anchor((0, 0, 1, 1), figure.transFigure)
    width = int(LETTERS_PER_INCH * figure.get_figwidth())
    wrapped = "\n".join(textwrap.fill(line, width) for line in text.splitlines())
    below = -0.1 / figure.get_figheight()
    figure.text(0.01, below, wrapped, fontsize=7, color="#444444", va="top")


def save(figure: Figure, out: Path) -> list[Path]:
    """Write `<out>.svg` and `<out>.png` atomically, then close the figure.

    The same content gives the same bytes.
    """
    paths = []
    for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
        path = out.with_suffix(f".{kind}")
        with atomic_file(path) as partial:
            figure.savefig(partial, format=kind, bbox_inches="tight", metadata=metadata)
        paths.append(path)
    plt.close(figure)
    return paths
