"""Single pass against sliding windows: what the way of reading a list is worth, and costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.model.trained_models import parts
from resrank.reporting.tables.write import WHERE, Column, write_table
from resrank.suite.load import Resolved

SINGLE = "single pass"
CAPTION = (
    " Systems that rerank lists, by how they read them: all candidates in a single pass, or "
    "windows of so many passages that move up by so many. Difference: from the single pass of the "
    "same model, where the suite has that."
)


def write_modes(resolved: Resolved, root: Path, frame: pd.DataFrame, caption: str) -> list[Path]:
    """Write the table `modes`; nothing where no system reads lists. frame: the comparison's."""
    metric = resolved.suite.metrics[0]
    table = modes(resolved, frame, metric)
    if table.empty:
        return []
    columns = WHERE | {
        "label": Column("system"),
        "mode": Column("mode"),
        metric: Column(metric, 4, 1, f"{metric} sd"),
        "difference": Column("difference", 4),
        "model_calls": Column("model calls", 1, -1),
        "tokens_per_passage_online": Column("tokens/passage online", 1, -1),
        "generated_tokens": Column("generated tokens", 1, -1),
        "p50_ms_online": Column("p50 ms online", 1, -1),
        "p50_ms_cached": Column("cached", 1, -1),
        "seeds": Column("seeds"),
    }
    return write_table(root / "tables", "modes", table, columns, list(WHERE), caption + CAPTION)


def modes(resolved: Resolved, frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The comparison's rows of systems that read lists, with `mode`, `model` and `difference`."""
    ways = {name: way for name in resolved.suite.systems if (way := mode_of(resolved, name))}
    table = frame[frame["system"].isin(list(ways))].copy()
    table.insert(4, "mode", table["system"].map(ways))
    table.insert(5, "model", [model_of(resolved, name) for name in table["system"]])
    keys = ["collection", "first_stage", "model"]
    single = table[table["mode"] == SINGLE].groupby(keys)[metric].first()
    base = [single.get(key) for key in table[keys].itertuples(index=False, name=None)]
    table["difference"] = table[metric].astype(float) - pd.Series(base, table.index, float)
    table.loc[table["mode"] == SINGLE, "difference"] = None
    return table


def mode_of(resolved: Resolved, system: str) -> str | None:
    """How a system reads a list; None of one whose options know no windows."""
    spec = resolved.systems[system]
    if not spec.reranker.reads_lists:
        return None
    window = spec.typed_options.list_window
    if window is None:
        return SINGLE
    again = f", {window.passes} passes" if window.passes > 1 else ""
    return f"windows {window.size}/{window.step}{again}"


def model_of(resolved: Resolved, system: str) -> str:
    """What two systems share that are one model in two modes: a trained system's name, or options.

    A system that is trained here is a model of its own, as is one that stands on it and no other.
    """
    spec = resolved.systems[system]
    below = parts(spec.options)
    if spec.training is not None or len(below) == 1:
        return system if spec.training is not None else below[0]
    shared: dict[str, Any] = {n: value for n, value in spec.options.items() if n != "window"}
    return json.dumps([spec.kind, shared], sort_keys=True)
