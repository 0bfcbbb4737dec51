"""Growth of a query's cost as a figure: FLOPs, time and memory against candidates and lengths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from resrank.io.atomic import atomic_file
from resrank.reporting.figures.effectiveness_cost import (
    STYLE,
    colour_and_marker,
    explain,
    legend,
    save,
)
from resrank.reporting.tables.write import Column, write_table

AXES = {"candidates": "candidates", "passage_tokens": "tokens a passage"}
COSTS = {"flops": "FLOPs a query", "ms": "ms a query", "memory": "bytes of memory"}
SPANS = [("candidates", 10, 100), ("candidates", 100, 1000), ("passage_tokens", 32, 512)]
FACTORS = (
    "How many times a query's FLOPs grow, from the models' shapes: with ten times the candidates, "
    "and with passages sixteen times as long (a prompt or a model may cut the longest)."
)
NOTE = (
    "Lines: modelled from the shapes of the models. Full: passages are read or embedded within the "
    "query; dashed, hollow: their embeddings are at hand. Modelled memory: weights, and keys and "
    "values of one sequence that is written to."
)
MEASURED = (
    " Markers without a line: measured, medians; memory is the peak of the device, or else of the "
    "process, interpreter and libraries with it. Measured passages are cut by words, 0.77 a token, "
    "and technical text has more tokens than that."
)


def write_growth(rows: list[dict[str, Any]], title: str, out: Path) -> list[Path]:
    """Write `growth.csv`, and the figure as `growth.svg` and `growth.png`, under `out`."""
    frame = pd.DataFrame(rows)
    table = out / "tables" / "growth.csv"
    with atomic_file(table) as partial:
        frame.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
    columns = {name: Column(name, int(name != "system")) for name in map(str, factors(frame))}
    written = [table, *write_table(
        out / "tables", "growth_factors", factors(frame), columns, [], f"{title} {FACTORS}"
    )]  # fmt: skip
    with plt.rc_context(STYLE):
        drawn = one_of_alike(frame)
        figure, axes = plt.subplots(
            len(COSTS), len(AXES), sharey="row", figsize=(10.5, 9.0), layout="constrained"
        )
        for row, (cost, shown) in zip(axes, COSTS.items(), strict=True):
            for axis, (grown, name) in zip(row, AXES.items(), strict=True):
                _panel(axis, drawn[drawn["axis"] == grown], cost)
                axis.set_xlabel(name)
            row[0].set_ylabel(shown)
        legend(figure, axes[0][0], "outside right upper")
        said = MEASURED if "measured" in set(frame["kind"]) else ""
        explain(figure, f"{title} {NOTE}{said}")
        path = out / "figures" / "growth"
        return [*written, *(save(figure, path.with_suffix(f".{end}")) for end in ("svg", "png"))]


def one_of_alike(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows to draw: systems whose modelled lines coincide have one, named after all of them."""
    modelled = frame[frame["kind"] == "modelled"]
    values = modelled.drop(columns=["system", "label", "kind"])
    alike: dict[str, list[str]] = {}
    for system, rows in values.groupby(modelled["system"], sort=False):
        alike.setdefault(rows.to_csv(index=False, float_format="%.6g"), []).append(str(system))
    labels = dict(zip(frame["system"], frame["label"], strict=True))
    named = {names[0]: " = ".join(labels[name] for name in names) for names in alike.values()}
    kept = frame[(frame["kind"] != "modelled") | frame["system"].isin(list(named))].copy()
    kept["label"] = kept["system"].map(labels | named)
    return kept


def factors(frame: pd.DataFrame) -> pd.DataFrame:
    """How many times the modelled FLOPs grow over each axis, a row a system."""
    rows = []
    known = frame[frame["kind"] == "modelled"]
    for _, found in known.groupby("system", sort=False):
        row: dict[str, Any] = {"system": found["label"].iloc[0]}
        for grown, low, high in SPANS:
            at = found[found["axis"] == grown].set_index("at")
            for mode in ("online", "cached"):
                cost = at[f"flops_{mode}"]
                row[f"{AXES[grown]} {low} to {high}, {mode}"] = cost[high] / cost[low]
        rows.append(row)
    return pd.DataFrame(rows)


def _panel(axis: Axes, frame: pd.DataFrame, cost: str) -> None:
    """One cost of all systems against one thing that grows."""
    for place, (_, rows) in enumerate(frame.groupby("system", sort=False)):
        colour, marker = colour_and_marker(place)
        for kind, found in rows.groupby("kind"):
            dots = {"linestyle": "none", "marker": marker, "markersize": 7}
            line = {"lw": 1.0, "marker": marker, "markersize": 4}
            look: dict[str, Any] = line if kind == "modelled" else dots
            if cost == "memory":
                axis.plot(found["at"], found["memory_bytes"], color=colour, **look)
                continue
            label = rows["label"].iloc[0] if kind == "modelled" else None
            axis.plot(found["at"], found[f"{cost}_online"], color=colour, label=label, **look)
            less = found[found[f"{cost}_cached"] < 0.99 * found[f"{cost}_online"]]
            stroke = {"markerfacecolor": "white"} | ({"ls": "--"} if kind == "modelled" else {})
            axis.plot(less["at"], less[f"{cost}_cached"], color=colour, **(look | stroke))
    axis.set_xscale("log")
    ticks = sorted(frame["at"].unique())
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.minorticks_off()
    axis.set_yscale("log")
