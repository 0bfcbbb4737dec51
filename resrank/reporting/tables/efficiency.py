"""The table `efficiency`: costs of every system, one row per system and mode."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from resrank.efficiency.percentiles import POINTS, supported
from resrank.efficiency.tokens import processed_by_lm
from resrank.phases import PhaseName
from resrank.reporting.conditions import engines
from resrank.reporting.results import read_json
from resrank.reporting.tables.column import CANDIDATE_SET, COST, Column
from resrank.reporting.tables.estimates import marked_columns, with_footnote
from resrank.reporting.tables.write import write_table
from resrank.reporting.token_marks import token_mark
from resrank.suite.resolved import Resolved

NOT_MEASURED = "not measured"
PHASES = (*get_args(PhaseName), "overhead")
MEGABYTE = 1e6


def _percentile_column(point: int) -> Column:
    bounds = (f"p{point}_low_ms", f"p{point}_high_ms")
    return Column(f"p{point} ms", 1, interval=bounds, **COST)


COLUMNS = {
    **CANDIDATE_SET,
    "label": Column("system"),
    "passages": Column("passages"),
    "tokens_read": Column("tokens read", 1),
    "embedding_slots": Column("of them slots", 1),
    "generated_tokens": Column("generated", 1),
    "flops_per_query": Column("GFLOPs", 1, unit=1e9, **COST),
    **{f"{name}_ms": Column(f"{name} ms", 1) for name in PHASES},
    **{f"p{point}_ms": _percentile_column(point) for point in POINTS},
    "queries_per_second": Column("Offline queries/s", 1, 1, missing=NOT_MEASURED, among="reranks"),
    "host_peak_mb": Column("peak MB", 0, missing=NOT_MEASURED, **COST),
    "device_peak_mb": Column("device peak MB", 0, missing=NOT_MEASURED, **COST),
    "index_bytes_per_passage": Column("index bytes/passage", 0, -1),
    "joules_per_query": Column("J/query", 2, missing=NOT_MEASURED, **COST),
    "harness_ms": Column("harness ms", 3),
}
ESTIMATED = {"tokens_read", "generated_tokens", "flops_per_query"}
CAPTION = (
    "Passages: encoded within the query (online), or their embeddings taken from the index "
    "(cached); – for a system without embeddings. Read: encoder tokens, prompt tokens and "
    "embedding slots per query. GFLOPs: from the shapes of the models, mean over all test queries. "
    "Phases: mean milliseconds of a query's time; they add up to it. p50, p95, p99: SingleStream, "
    "with 95% bootstrap intervals over queries; – where the sample is too small (p95 needs 20 "
    "queries, p99 100). Offline: all queries at once. Peaks: during SingleStream, weights "
    "included. Harness: p50 of a reranker that does nothing. Energy: of the whole machine, by its "
    "counters."
)


def write_efficiency(
    resolved: Resolved, root: Path, compared: pd.DataFrame, title: str
) -> list[Path]:
    """Write the table `efficiency`; nothing if no system has a time.

    compared: the rows of `comparison.comparison`, for the FLOPs. title: opens the caption.
    """
    rows = [
        row
        for dataset, stage, system in resolved.listed
        for row in _rows(resolved, root, dataset, stage, system)
    ]
    if not rows:
        return []
    frame = pd.DataFrame(rows)
    by_system = compared.set_index(["collection", "first_stage", "system"])
    frame["flops_per_query"] = [
        by_system[f"flops_per_query_{row['mode']}"].get(
            (row["collection"], row["first_stage"], row["system"])
        )
        for row in rows
    ]
    frame["reranks"] = [resolved.reranks(row["system"]) for row in rows]
    caption = with_footnote(f"{title}{_conditions(frame)} {CAPTION}", frame)
    columns = marked_columns(COLUMNS, frame, ESTIMATED)
    groups = list(CANDIDATE_SET)
    return write_table(root / "tables", "efficiency", frame, columns, groups, caption)


def _rows(
    resolved: Resolved, root: Path, dataset: str, stage: str, system: str
) -> list[dict[str, Any]]:
    """Return one row per mode; none for a replayed system, which took no time."""
    measured = read_json(root / "efficiency" / dataset / stage / f"{system}.json")
    names = {"collection": dataset, "first_stage": stage, "system": system}
    names["label"] = resolved.label(system)
    modes = [mode for mode in ("online", "cached") if mode in measured]
    return [
        names
        | {"mode": mode, "passages": mode if len(modes) > 1 else "–"}
        | _tokens(measured["usage"], mode)
        | _costs(measured[mode])
        | _machine(measured, mode)
        | token_mark(measured)
        for mode in modes
    ]


def _tokens(usage: Mapping[str, float], mode: str) -> dict[str, float]:
    """Return what the timed queries consumed, means per query."""
    encoded = usage["passage_encoder_tokens"] if mode == "online" else 0.0
    kept = {name: usage[name] for name in ("embedding_slots", "generated_tokens", "model_calls")}
    return {"tokens_read": encoded + processed_by_lm(usage), **kept}


def _costs(mode: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the time, throughput, memory and energy of one mode as flat columns."""
    costs: dict[str, float | None] = {f"{n}_ms": mode["phases_ms"][n] for n in PHASES}
    for point in POINTS:
        enough = supported(point, len(mode["samples_ms"]))
        costs[f"p{point}_ms"] = mode[f"p{point}_ms"] if enough else None
        low, high = (enough and mode[f"p{point}_interval_ms"]) or (None, None)
        costs |= {f"p{point}_low_ms": low, f"p{point}_high_ms": high}
    memory = mode["memory"]
    joules = [value for value in mode["joules"].values() if value is not None]
    return costs | {
        "queries_per_second": mode.get("Offline", {}).get("queries_per_second"),
        "host_peak_mb": _megabytes(memory["host_peak_bytes"]),
        "device_peak_mb": _megabytes(memory["device_peak_bytes"]),
        "joules_per_query": sum(joules) / len(mode["samples_ms"]) if joules else None,
    }


def _machine(measured: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """Return the index's size, the harness's time and the conditions of the measurement."""
    machine = [measured["machine"]["processor"], measured["device"]]
    index_bytes = measured["index_bytes_per_passage"] if mode == "cached" else None
    return {
        "index_bytes_per_passage": index_bytes,
        "harness_ms": measured["harness"]["p50_ms"],
        "dtype": measured["dtype"],
        "timed": measured["timed"],
        "threads": measured["threads"],
        "batch": measured["batch"],
        "queries": len(measured["query_ids"]),
        "warmup": measured["warmup"],
        "machine": " and ".join(filter(None, machine)),
    }


def _megabytes(size: float | None) -> float | None:
    return None if size is None else size / MEGABYTE


def _conditions(frame: pd.DataFrame) -> str:
    """Return the sample, the machine, the number formats and the engine of the measurements."""

    def values(name: str) -> str:
        return ", ".join(dict.fromkeys(str(value) for value in frame[name] if value != "none"))

    return (
        f"{values('queries')} queries after {values('warmup')} warm-up queries, "
        f"batch {values('batch')}, {values('threads')} threads of {values('machine')}, "
        f"{values('dtype')} (encoder + reranker).{engines(frame)}"
    )
