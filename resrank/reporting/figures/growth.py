"""Growth of a query's cost: FLOPs, time and memory against candidates and passage lengths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from resrank.reporting.figures.style import STYLE, add_caption, colour_and_marker, legend, save

AXES = {"candidates": "candidates", "passage_tokens": "tokens per passage"}
COSTS = {"flops": "FLOPs per query", "ms": "ms per query", "memory": "bytes of memory"}
NOTE = (
    "Lines: modelled from the shapes of the models. Solid: passages are read or embedded within "
    "the query. Dashed and hollow: their embeddings are cached. Modelled memory: the weights, and "
    "the keys and values of one generated sequence."
)
MEASURED = (
    " Markers without a line: measured medians. Memory is the peak of the device, or without one "
    "the peak of the process, interpreter and libraries included. Measured passages are truncated "
    "by words, at 0.77 words per token; technical text has more tokens than that."
)


def draw_growth(frame: pd.DataFrame, title: str, out: Path) -> list[Path]:
    """Draw one row of panels per cost, one column per quantity that grows."""
    with plt.rc_context(STYLE):
        drawn = merge_identical(frame)
        figure, axes = plt.subplots(
            len(COSTS), len(AXES), sharey="row", figsize=(10.5, 9.0), layout="constrained"
        )
        for row, (cost, label) in zip(axes, COSTS.items(), strict=True):
            for axis, (quantity, name) in zip(row, AXES.items(), strict=True):
                _draw_panel(axis, drawn[drawn["axis"] == quantity], cost)
                axis.set_xlabel(name)
            row[0].set_ylabel(label)
        legend(figure, axes[0][0], "outside right upper")
        measured = MEASURED if "measured" in set(frame["kind"]) else ""
        add_caption(figure, f"{title} {NOTE}{measured}")
        return save(figure, out)


def merge_identical(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows to draw: systems whose modelled lines coincide share one, with all names."""
    modelled = frame[frame["kind"] == "modelled"]
    values = modelled.drop(columns=["system", "label", "kind"])
    identical: dict[str, list[str]] = {}
    for system, rows in values.groupby(modelled["system"], sort=False):
        content = rows.to_csv(index=False, float_format="%.6g")
        identical.setdefault(content, []).append(str(system))
    labels = dict(zip(frame["system"], frame["label"], strict=True))
    named = {names[0]: " = ".join(labels[name] for name in names) for names in identical.values()}
    kept = frame[(frame["kind"] != "modelled") | frame["system"].isin(list(named))].copy()
    kept["label"] = kept["system"].map(labels | named)
    return kept


def _draw_panel(axis: Axes, frame: pd.DataFrame, cost: str) -> None:
    """Draw one cost of all systems against one quantity that grows."""
    for place, (_, rows) in enumerate(frame.groupby("system", sort=False)):
        colour, marker = colour_and_marker(place)
        for kind, group in rows.groupby("kind"):
            points = {"linestyle": "none", "marker": marker, "markersize": 7}
            line = {"lw": 1.0, "marker": marker, "markersize": 4}
            look: dict[str, Any] = line if kind == "modelled" else points
            _draw_lines(axis, group, cost, str(kind), look | {"color": colour})
    axis.set_xscale("log")
    ticks = sorted(frame["at"].unique())
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.minorticks_off()
    axis.set_yscale("log")


def _draw_lines(
    axis: Axes, rows: pd.DataFrame, cost: str, kind: str, look: Mapping[str, Any]
) -> None:
    """Draw one system's modelled or measured cost, and the cached one where it is lower."""
    if cost == "memory":
        axis.plot(rows["at"], rows["memory_bytes"], **look)
        return
    label = rows["label"].iloc[0] if kind == "modelled" else None
    axis.plot(rows["at"], rows[f"{cost}_online"], label=label, **look)
    lower = rows[rows[f"{cost}_cached"] < 0.99 * rows[f"{cost}_online"]]
    hollow = {"markerfacecolor": "white"} | ({"ls": "--"} if kind == "modelled" else {})
    axis.plot(lower["at"], lower[f"{cost}_cached"], **(dict(look) | hollow))
