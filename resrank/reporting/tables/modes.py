"""The table `modes`: listwise systems in a single pass and in sliding windows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.model.trained_models import used_models
from resrank.reporting.tables.column import CANDIDATE_SET, Column
from resrank.reporting.tables.gains import gain_column, gain_legend
from resrank.reporting.tables.write import write_table
from resrank.suite.resolved import Resolved

SINGLE_PASS = "single pass"
CAPTION = (
    " Listwise systems by mode. Single pass: the model reads all candidates at once. Windows "
    "20/10: it reads windows of 20 passages that move up by 10. Difference: from the single pass "
    "of the same model, if the suite has it."
)


def write_modes(resolved: Resolved, root: Path, frame: pd.DataFrame, caption: str) -> list[Path]:
    """Write the table `modes`; nothing if the suite has no listwise system.

    frame: the rows of `comparison.comparison` with companions.
    """
    metric = resolved.suite.metrics[0]
    table = modes(resolved, frame, metric)
    if table.empty:
        return []
    columns = CANDIDATE_SET | {
        "label": Column("system"),
        "mode": Column("mode"),
        metric: Column(metric, 4, 1, f"{metric} sd"),
        "difference": Column("difference", 4),
        **gain_column(table),
        "model_calls": Column("model calls", 1, -1),
        "tokens_per_passage_online": Column("tokens/passage online", 1, -1),
        "generated_tokens": Column("generated tokens", 1, -1),
        "p50_ms_online": Column("p50 ms online", 1, -1),
        "p50_ms_cached": Column("cached", 1, -1),
        "seeds": Column("seeds"),
    }
    groups = list(CANDIDATE_SET)
    caption += CAPTION + gain_legend(resolved, table)
    return write_table(root / "tables", "modes", table, columns, groups, caption)


def modes(resolved: Resolved, frame: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the rows of listwise systems, with `mode`, `model` and `difference`."""
    by_system = {name: mode for name in resolved.suite.systems if (mode := mode_of(resolved, name))}
    table = frame[frame["system"].isin(list(by_system))].copy()
    table.insert(4, "mode", table["system"].map(by_system))
    table.insert(5, "model", [model_of(resolved, name) for name in table["system"]])
    keys = ["collection", "first_stage", "model"]
    single = table[table["mode"] == SINGLE_PASS].groupby(keys)[metric].first()
    base = [single.get(key) for key in table[keys].itertuples(index=False, name=None)]
    table["difference"] = table[metric].astype(float) - pd.Series(base, table.index, float)
    table.loc[table["mode"] == SINGLE_PASS, "difference"] = None
    return table


def mode_of(resolved: Resolved, system: str) -> str | None:
    """Return how a system reads a list; None if it does not read lists."""
    spec = resolved.systems[system]
    if not spec.reranker.reads_lists:
        return None
    window = spec.typed_options.list_window
    if window is None:
        return SINGLE_PASS
    passes = f", {window.passes} passes" if window.passes > 1 else ""
    return f"windows {window.size}/{window.step}{passes}"


def model_of(resolved: Resolved, system: str) -> str:
    """Return a key that two systems share if they are one model in two modes.

    For a system that is trained in the suite, or that uses exactly one trained system, the key is
    that system's name. For any other it is its kind and options without the window.
    """
    spec = resolved.systems[system]
    below = used_models(spec.options)
    if spec.training is not None or len(below) == 1:
        return system if spec.training is not None else below[0]
    options: dict[str, Any] = {n: value for n, value in spec.options.items() if n != "window"}
    return json.dumps([spec.kind, options], sort_keys=True)
