"""How much each kind of variant changes a system's score: the figure `sensitivity`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

from resrank.reporting.figures.style import (
    PANELS_PER_ROW,
    STYLE,
    add_caption,
    colour_and_marker,
    grid,
    label_width,
    legend,
    name_panel,
    save,
)

KINDS = {
    "batch": "batch sizes",
    "dtype": "number formats",
    "order": "candidate orders",
    "seed": "seeds",
}
ROW, LEGEND = 0.55, 1.6  # inches
STEP = 0.18  # distance between kinds, as a share of a system's row
CAPTION = (
    "One marker per variant: its nDCG@10 over {queries} queries minus that of the unchanged system "
    "(0). Everything else is unchanged. A kind without a marker: the system has no such option, or "
    "cannot run with it."
)
SensitivityResults = Mapping[tuple[str, str, str], Mapping[str, Any]]
"""(collection, first stage, system) -> the result that `sensitivity` wrote."""


def changes_by_kind(
    results: SensitivityResults, labels: Mapping[str, str], note: str, out: Path
) -> list[Path]:
    """Draw one panel per candidate set, one row per system, as `<out>.svg` and `<out>.png`."""
    panels = list(dict.fromkeys(key[:2] for key in results))
    names = list(dict.fromkeys(key[2] for key in results))
    texts = [labels[name] for name in names]
    width = 2.8 + label_width(texts) / min(PANELS_PER_ROW, len(panels))
    with mpl.rc_context(STYLE):
        figure, axes = grid(len(panels), width, ROW * len(names) + 1.0, legend_width=LEGEND)
        for number, ((collection, stage), axis) in enumerate(zip(panels, axes, strict=True)):
            _draw_panel(axis, [results[collection, stage, name]["variants"] for name in names])
            name_panel(axis, collection, stage)
            axis.set_xlabel("change of nDCG@10", fontsize=9)
            first = number % PANELS_PER_ROW == 0
            axis.set_yticks(range(len(names)), texts if first else [""] * len(names), fontsize=8)
        legend(figure, axes[0], "outside right center")
        queries = "/".join(sorted({str(result["queries"]) for result in results.values()}))
        add_caption(figure, f"{note}\n{CAPTION.format(queries=queries)}")
        return save(figure, out)


def _draw_panel(axis: Axes, systems: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    axis.axvline(0, color="#888888", lw=0.8)
    for place, (kind, label) in enumerate(KINDS.items()):
        colour, marker = colour_and_marker(place)
        points = [
            (variant["difference"], row + STEP * (place - 1.5))
            for row, variants in enumerate(systems)
            for variant in variants
            if variant["kind"] == kind and "difference" in variant
        ]
        across, down = zip(*points, strict=True) if points else ((), ())
        axis.plot(across, down, marker, color=colour, ms=4.5, alpha=0.8, label=label)
    axis.locator_params(axis="x", nbins=5)
    axis.set_ylim(len(systems) - 0.5, -0.5)
