"""Effectiveness against cost, one panel per candidate set.

A filled marker includes the encoding of passages. A hollow one, joined to it by a line, has their
embeddings cached. Steps join the systems that no other one beats in both, in each of the two modes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

from resrank.reporting.figures.style import (
    STYLE,
    add_caption,
    colour_and_marker,
    grid_with_legend,
    legend,
    name_panel,
    save,
)
from resrank.reporting.pareto import CostAxis, front

MARKER_SIZE = 8.0  # points
COVERING_SCALE = 0.78  # factor on a marker's size for each earlier marker that it covers
NEAR = 0.025  # share of the span of all points within which markers cover each other


FRONT_LOOKS: dict[str, dict[str, Any]] = {
    "online": {"linestyle": "-"},
    "cached": {"linestyle": (0, (4, 2))},
}
"""The line of each mode's front."""


def effectiveness_against(
    frame: pd.DataFrame, metric: str, cost: CostAxis, note: str, out: Path
) -> list[Path]:
    """Plot a metric against a cost (log axis), as `<out>.svg` and `<out>.png`.

    frame: the comparison, one row per candidate set and system. note: the caption.
    """
    with mpl.rc_context(STYLE):
        panels = list(frame.groupby(["collection", "first_stage"], sort=False))
        figure, axes = grid_with_legend(len(panels), entries=frame["system"].nunique())
        looks = {name: colour_and_marker(n) for n, name in enumerate(frame["system"].unique())}
        for axis, ((collection, stage), rows) in zip(axes, panels, strict=True):
            _draw_panel(axis, rows, metric, cost, looks)
            name_panel(axis, str(collection), str(stage))
            axis.set_xlabel(cost.label)
        figure.supylabel(f"{metric} (mean over seeds)", fontsize=9)
        _name_systems(axes[0], frame, looks)
        legend(figure, axes[0], size=MARKER_SIZE)
        add_caption(figure, note)
        return save(figure, out)


def _name_systems(axis: Axes, frame: pd.DataFrame, looks: Mapping[str, tuple[str, str]]) -> None:
    """Give the legend an entry per system, also for those that the first panel lacks."""
    for system, label in frame.drop_duplicates("system")[["system", "label"]].itertuples(False):
        colour, marker = looks[system]
        axis.plot([], [], label=label, color=colour, marker=marker, linestyle="none")


def _draw_panel(
    axis: Axes,
    rows: pd.DataFrame,
    metric: str,
    cost: CostAxis,
    looks: Mapping[str, tuple[str, str]],
) -> None:
    """Draw one candidate set. looks: colour and marker by system, the same in every panel."""
    costs = rows[[cost.online, cost.cached]].astype(float)
    sizes = [MARKER_SIZE * COVERING_SCALE**count for count in covered(costs, rows[metric])]
    for place, row in enumerate(rows.to_dict("records")):
        colour, marker = looks[row["system"]]
        look: dict[str, Any] = {"marker": marker, "markersize": sizes[place], "color": colour}
        look["linestyle"] = "none"
        score, online, cached = row[metric], row[cost.online], row[cost.cached]
        axis.plot([online], [score], **look)
        spread = row.get(f"{metric} sd")
        if pd.notna(spread):
            axis.errorbar([online], [score], yerr=[spread], color=colour, capsize=2, lw=1)
        if row["caches_passages"] and pd.notna(cached):
            axis.plot([cached, online], [score, score], color=colour, lw=0.8, alpha=0.6)
            axis.plot([cached], [score], **look, markerfacecolor="white")
    _scale(axis, np.nanmin(costs.to_numpy()), np.nanmax(costs.to_numpy()))
    axis.margins(y=0.12)
    for mode in FRONT_LOOKS if rows["caches_passages"].any() else ("online",):
        _draw_front(axis, front(rows, metric, cost, mode), metric, mode)


def _draw_front(axis: Axes, points: pd.DataFrame, metric: str, mode: str) -> None:
    """Draw a front as steps behind the markers: each score holds until the next system's cost."""
    x, y = points["cost"].tolist(), points[metric].tolist()
    right = axis.get_xlim()[1]
    look = {"color": "#999999", "lw": 1.0, "zorder": 0.5, **FRONT_LOOKS[mode]}
    axis.step([*x, right], [*y, *y[-1:]], where="post", **look)


def _scale(axis: Axes, least: float, most: float) -> None:
    """Set a logarithmic axis of costs, linear near 0 where a cost is 0."""
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


def covered(costs: pd.DataFrame, scores: pd.Series[float]) -> list[int]:
    """Count how many earlier systems' markers each system's markers cover.

    costs: (systems, 2), online and cached. scores: (systems,).
    """
    across = np.log10(costs.clip(lower=0.1).to_numpy())
    down = scores.to_numpy(float)
    width, height = (max(float(np.ptp(v[np.isfinite(v)])), 1e-9) for v in (across, down))
    near = np.abs(across[:, None] - across) < NEAR * width
    covers = near.any(axis=2) & (np.abs(down[:, None] - down) < NEAR * height)
    return [int(covers[place, :place].sum()) for place in range(len(down))]
