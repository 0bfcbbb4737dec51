"""How far each kind of variant moves a system's score: the figure `sensitivity`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

from resrank.reporting.figures.effectiveness_cost import (
    ACROSS,
    STYLE,
    colour_and_marker,
    explain,
    grid,
    legend,
    name_panel,
    save,
    width_of,
)

KINDS = {"batch": "batch sizes", "dtype": "number formats", "order": "candidate orders",
         "seed": "seeds"}  # fmt: skip
ROW, LEGEND = 0.55, 1.6  # inches
STEP = 0.18  # of a system's row, between kinds
SAID = (
    "A marker a variant: nDCG@10 over {queries} queries, less the system's as it is (0), all else "
    "unchanged. A kind without a marker: the system has no such option, or cannot be run so."
)
Found = Mapping[tuple[str, str, str], Mapping[str, Any]]
"""(collection, first stage, system) -> what the verb `sensitivity` wrote."""


def changes_by_kind(found: Found, labels: Mapping[str, str], note: str, out: Path) -> list[Path]:
    """Draw a panel a candidate set, a row a system, as `<out>.svg` and `<out>.png`."""
    panels = list(dict.fromkeys(key[:2] for key in found))
    names = list(dict.fromkeys(key[2] for key in found))
    beside = width_of(labels[name] for name in names) / min(ACROSS, len(panels))
    with mpl.rc_context(STYLE):
        figure, axes = grid(len(panels), 2.8 + beside, ROW * len(names) + 1.0, beside=LEGEND)
        for number, ((dataset, stage), axis) in enumerate(zip(panels, axes, strict=True)):
            _panel(axis, [found[dataset, stage, name]["variants"] for name in names])
            name_panel(axis, dataset, stage)
            axis.set_xlabel("change of nDCG@10", fontsize=9)
            shown = [labels[n] if number % ACROSS == 0 else "" for n in names]
            axis.set_yticks(range(len(names)), shown, fontsize=8)
        legend(figure, axes[0], "outside right center")
        queries = "/".join(sorted({str(result["queries"]) for result in found.values()}))
        explain(figure, f"{note}\n{SAID.format(queries=queries)}")
        return [save(figure, out.with_suffix(f".{ending}")) for ending in ("svg", "png")]


def _panel(axis: Axes, systems: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    axis.axvline(0, color="#888888", lw=0.8)
    for place, (kind, shown) in enumerate(KINDS.items()):
        colour, marker = colour_and_marker(place)
        at = [
            (variant["difference"], row + STEP * (place - 1.5))
            for row, variants in enumerate(systems)
            for variant in variants
            if variant["kind"] == kind and "difference" in variant
        ]
        across, down = zip(*at, strict=True) if at else ((), ())
        axis.plot(across, down, marker, color=colour, ms=4.5, alpha=0.8, label=shown)
    axis.locator_params(axis="x", nbins=5)
    axis.set_ylim(len(systems) - 0.5, -0.5)
