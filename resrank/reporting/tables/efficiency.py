"""What systems cost as a table, a row a system and mode: `efficiency`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from resrank.efficiency.tokens import processed_by_lm
from resrank.phases import PhaseName
from resrank.reporting.results import read_json
from resrank.reporting.tables.write import COST, WHERE, Column, write_table
from resrank.suite.load import Resolved

NOT_MEASURED = "not measured"
PHASES = (*get_args(PhaseName), "overhead")
MEGABYTE = 1e6


def _point(point: int) -> dict[str, Column]:
    bounds = (f"p{point}_low_ms", f"p{point}_high_ms")
    return {f"p{point}_ms": Column(f"p{point} ms", 1, interval=bounds, **COST)}


COLUMNS = {
    **WHERE,
    "label": Column("system"),
    "passages": Column("passages"),
    "tokens_read": Column("tokens read", 1),
    "embedding_slots": Column("of them slots", 1),
    "generated_tokens": Column("generated", 1),
    "flops_per_query": Column("GFLOPs", 1, unit=1e9, **COST),
    **{f"{name}_ms": Column(f"{name} ms", 1) for name in PHASES},
    **{name: column for point in (50, 95, 99) for name, column in _point(point).items()},
    "queries_per_second": Column("Offline queries/s", 1, 1, missing=NOT_MEASURED, among="reranks"),
    "host_peak_mb": Column("peak MB", 0, missing=NOT_MEASURED, **COST),
    "device_peak_mb": Column("device peak MB", 0, missing=NOT_MEASURED, **COST),
    "index_bytes_per_passage": Column("index bytes/passage", 0, -1),
    "joules_per_query": Column("J/query", 2, missing=NOT_MEASURED, **COST),
    "harness_ms": Column("harness ms", 3),
}
CAPTION = (
    "Passages: encoded within the query (online), or their embeddings taken from the index "
    "(cached); – for a system without. Read: encoder tokens, prompt tokens and embedding slots a "
    "query. GFLOPs: from the shapes of the models, a mean over all test queries. Phases: mean "
    "milliseconds of a query's time, which they add up to. p50, p95, p99: SingleStream, "
    "with 95% bootstrap intervals over queries; a percentile beyond what the "
    "sample holds is near its largest. Offline: all queries at once. Peaks: while SingleStream "
    "ran, weights included. Harness: p50 of a reranker that does nothing. Energy: the whole "
    "machine's, by its counters."
)


def write_efficiency(
    resolved: Resolved, root: Path, compared: pd.DataFrame, note: str
) -> list[Path]:
    """Write `tables/efficiency.*`, nothing if no system has a time; note: opens the caption.

    compared: what `results.comparison` gave, for the FLOPs.
    """
    rows = [
        row
        for dataset, stage in resolved.pairs
        for system in resolved.suite.systems
        for row in _rows(resolved, root, dataset, stage, system)
    ]
    if not rows:
        return []
    frame = pd.DataFrame(rows)
    kept = compared.set_index(["collection", "first_stage", "system"])
    frame["flops_per_query"] = [
        kept[f"flops_per_query_{row['mode']}"].get(
            (row["collection"], row["first_stage"], row["system"])
        )
        for row in rows
    ]
    frame["reranks"] = [resolved.reranks(row["system"]) for row in rows]
    caption = f"{note}{_conditions(frame)} {CAPTION}"
    groups = ["collection", "first_stage"]
    return write_table(root / "tables", "efficiency", frame, COLUMNS, groups, caption)


def _rows(
    resolved: Resolved, root: Path, dataset: str, stage: str, system: str
) -> list[dict[str, Any]]:
    """One row a mode; none of a system that was replayed and so took no time."""
    found = read_json(root / "efficiency" / dataset / stage / f"{system}.json")
    about = {
        "collection": dataset, "first_stage": stage, "system": system,
        "label": resolved.label(system),
    }  # fmt: skip
    modes = [mode for mode in ("online", "cached") if mode in found]
    return [
        about
        | {"mode": mode, "passages": mode if len(modes) > 1 else "–"}
        | _tokens(found["usage"], mode)
        | _costs(found[mode])
        | {
            "index_bytes_per_passage": found["index_bytes_per_passage"]
            if mode == "cached"
            else None,
            "harness_ms": found["harness"]["p50_ms"],
            "dtype": found["dtype"],
            "threads": found["threads"],
            "batch": found["batch"],
            "queries": len(found["query_ids"]),
            "warmup": found["warmup"],
            "machine": " and ".join(filter(None, [found["machine"]["processor"], found["device"]])),
        }
        for mode in modes
    ]


def _tokens(usage: Mapping[str, float], mode: str) -> dict[str, float]:
    """What the queries that were timed consumed, means a query."""
    encoded = usage["passage_encoder_tokens"] if mode == "online" else 0.0
    kept = {name: usage[name] for name in ("embedding_slots", "generated_tokens", "model_calls")}
    return {"tokens_read": encoded + processed_by_lm(usage), **kept}


def _costs(mode: Mapping[str, Any]) -> dict[str, float | None]:
    """Time, throughput, memory and energy of one mode, flat."""
    costs: dict[str, float | None] = {f"{n}_ms": mode["phases_ms"][n] for n in PHASES}
    for point in (50, 95, 99):
        costs[f"p{point}_ms"] = mode[f"p{point}_ms"]
        low, high = mode[f"p{point}_interval_ms"] or (None, None)
        costs |= {f"p{point}_low_ms": low, f"p{point}_high_ms": high}
    memory = mode["memory"]
    joules = [value for value in mode["joules"].values() if value is not None]
    return costs | {
        "queries_per_second": mode.get("Offline", {}).get("queries_per_second"),
        "host_peak_mb": _megabytes(memory["host_peak_bytes"]),
        "device_peak_mb": _megabytes(memory["device_peak_bytes"]),
        "joules_per_query": sum(joules) / len(mode["samples_ms"]) if joules else None,
    }


def _megabytes(size: float | None) -> float | None:
    return None if size is None else size / MEGABYTE


def _conditions(frame: pd.DataFrame) -> str:
    """Where, how and on how much it was measured."""

    def said(name: str) -> str:
        return ", ".join(dict.fromkeys(str(value) for value in frame[name] if value != "none"))

    return (
        f"{said('queries')} queries after {said('warmup')} for warming up, batch {said('batch')}, "
        f"{said('threads')} threads of {said('machine')}, {said('dtype')} (encoder + reranker)."
    )
