"""A suite's results as one tidy data frame: a row per collection, first stage and system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.efficiency.costs import Costs, is_random
from resrank.efficiency.percentiles import supported
from resrank.efficiency.tokens import tokens
from resrank.evaluation.score import ENCODER
from resrank.evaluation.seed_scores import SCORES
from resrank.io.parquet import read_columns
from resrank.records import Usage
from resrank.reporting.results import read_json, read_tokenizers, read_usage
from resrank.reporting.token_marks import token_mark
from resrank.suite.resolved import Resolved

USAGE = [
    "passage_encoder_tokens",
    "prompt_tokens",
    "embedding_slots",
    "generated_tokens",
    "model_calls",
    "truncated_passages",
]
VERDICTS = ("clean", "repaired", "rejected")
"""Kinds of written answers: each has a counter in `Usage`, and its share is a column."""


def comparison(resolved: Resolved, root: Path) -> pd.DataFrame:
    """Return scores over seeds, usage and times, one row per candidate set and system."""
    rows = [
        _row(resolved, root, dataset, stage, system) for dataset, stage, system in resolved.compared
    ]
    return pd.DataFrame(rows)


def _row(resolved: Resolved, root: Path, dataset: str, stage: str, system: str) -> dict[str, Any]:
    scores = read_columns(root / "scores" / dataset / f"{stage}.parquet", SCORES).to_pandas()
    scores = scores[scores["system"] == system]
    row: dict[str, Any] = {"collection": dataset, "first_stage": stage, "system": system}
    row["label"] = resolved.label(system)
    row["reranks"] = resolved.reranks(system)
    row["companion"] = system in resolved.companions
    random_weights = is_random(resolved.systems[system])  # whose scores mean nothing
    row |= _means(scores[:0] if random_weights else scores, resolved.suite.metrics)
    row["seeds"] = int(scores["seed"].nunique())
    row["queries"] = int(scores["query_id"].nunique())
    return (
        row
        | _usage(resolved, root, dataset, stage, system)
        | token_mark(read_tokenizers(resolved, root, dataset, stage, system))
        | _costs(resolved, root / "efficiency" / dataset / stage, dataset, system)
    )


def _means(scores: pd.DataFrame, metrics: list[str]) -> dict[str, float | None]:
    """Return each metric's mean and standard deviation over seeds, None without scores.

    The first metric's values for the system's encoder alone are added where it has any.
    """
    by_seed = scores.groupby(["metric", "seed"])["value"].mean()
    means: dict[str, float | None] = {}
    names = {metric: metric for metric in metrics}
    encoder = f"{ENCODER}{metrics[0]}"
    if encoder in by_seed:
        names["encoder alone"] = encoder
    for name, metric in names.items():
        if metric not in by_seed:
            means[name] = means[f"{name} sd"] = None
            continue
        values = by_seed[metric]
        means[name] = float(values.mean())
        means[f"{name} sd"] = float(values.std()) if len(values) > 1 else None
    return means


def _usage(
    resolved: Resolved, root: Path, dataset: str, stage: str, system: str
) -> dict[str, float | None]:
    usage = read_usage(resolved, root, dataset, stage, system)
    work = Costs(resolved.systems[system], resolved.systems).mean(_rankings(usage))
    means = {name: float(usage[name].mean()) for name in USAGE}
    candidates = float(usage["candidates"].mean()) or 1.0
    return {
        "tokens_per_passage_online": tokens(means) / candidates,
        "tokens_per_passage_cached": tokens(means, cached=True) / candidates,
        "truncated_share": means["truncated_passages"] / candidates,
        "flops_per_query_online": None if work is None else work.online,
        "flops_per_query_cached": None if work is None else work.cached,
        "caches_passages": means["passage_encoder_tokens"] > 0,
        **_answer_shares(usage[:0] if is_random(resolved.systems[system]) else usage),
        **{name: means[name] for name in USAGE[1:]},
    }


def _answer_shares(usage: pd.DataFrame) -> dict[str, float | None]:
    """Return the share of answers with each verdict; None for a system that writes no answer."""
    counts = {verdict: float(usage[f"{verdict}_answers"].sum()) for verdict in VERDICTS}
    total = sum(counts.values())
    return {f"{name}_share": count / total if total else None for name, count in counts.items()}


def _rankings(usage: pd.DataFrame) -> Iterator[tuple[Usage, int]]:
    """Yield each ranking's usage and its number of candidates."""
    counters = [field.name for field in fields(Usage)]
    for candidates, *counts in usage[["candidates", *counters]].itertuples(index=False):
        yield Usage(*map(int, counts)), int(candidates)


def _costs(resolved: Resolved, folder: Path, dataset: str, system: str) -> dict[str, Any]:
    """Return the times of a system; those of a companion are None, under the same conditions."""
    compared = resolved.suite.systems_of(dataset)
    trained = [name for name in resolved.companions.get(system, []) if name in compared]
    times = _times(folder / f"{trained[0] if trained else system}.json")
    return {name: None if trained and "_ms_" in name else value for name, value in times.items()}


def _percentile(mode: Mapping[str, Any] | None, point: int) -> float | None:
    """Return a percentile of a mode's times; None if its samples cannot support it."""
    if mode is None or not supported(point, len(mode["samples_ms"])):
        return None
    return float(mode[f"p{point}_ms"])


def _times(path: Path) -> dict[str, Any]:
    measured: Mapping[str, Any] = read_json(path)
    times: dict[str, Any] = {}
    for mode in ("online", "cached"):
        for point in (50, 95):
            times[f"p{point}_ms_{mode}"] = _percentile(measured.get(mode), point)
    return times | {
        "dtype": measured["dtype"],
        "threads": measured["threads"],
        "timed": measured["timed"],
        "processor": measured["machine"]["processor"],
        "timed_queries": len(measured["query_ids"]),
    }
