"""A suite's results as one tidy table: a row per collection, first stage and system."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.efficiency.costs import Costs, is_random
from resrank.efficiency.tokens import tokens
from resrank.evaluation.all_pairs import SCORES
from resrank.evaluation.score import ENCODER
from resrank.io.parquet import read_columns
from resrank.io.run import USAGE as LEDGER
from resrank.io.run import usage_of
from resrank.io.seals import read_sealed
from resrank.records import Usage
from resrank.suite.load import Resolved

USAGE = [
    "passage_encoder_tokens", "prompt_tokens", "embedding_slots", "generated_tokens",
    "model_calls", "truncated_passages",
]  # fmt: skip


def comparison(resolved: Resolved, root: Path) -> pd.DataFrame:
    """One row a (collection, first stage, system): scores over seeds, usage, times."""
    rows = [
        _row(resolved, root, dataset, stage, system)
        for dataset, stage in resolved.pairs
        for system in resolved.suite.systems
    ]
    return pd.DataFrame(rows)


UNTIDY = ["empty_passages", "judged_passages_absent", "judged_queries_without_text"]


def first_stages(resolved: Resolved, root: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """What each candidate set allows: recall, oracle, short lists; and what is untidy below it.

    frame: what `comparison` gave, for the score before reranking and after.
    """
    rows = []
    for dataset, stage in resolved.pairs:
        manifest = read_json(root / "candidates" / dataset / f"{stage}.manifest.json")
        about = {"collection": dataset, "first stage": stage, "depth": manifest["depth"]}
        found = {f"{k}": v for k, v in manifest["splits"]["test"].items()}
        ties = read_json(root / "audits" / dataset / f"{stage}.json")["ties"]
        found |= {f"nDCG@10 at {order} ties": value for order, value in ties.items()}
        recall = found.pop(f"recall@{manifest['depth']}")
        counts = read_json(root / "collections" / dataset / "manifest.json")["counts"]
        untidy = {name: counts[name] for name in UNTIDY}
        about |= {"recall": recall} | before_and_after(frame, dataset, stage, resolved)
        rows.append(about | found | untidy | {"hash": manifest["hash"][:12]})
    return pd.DataFrame(rows).rename(columns=lambda name: name.replace("_", " "))


def before_and_after(
    frame: pd.DataFrame, dataset: str, stage: str, resolved: Resolved
) -> dict[str, Any]:
    """The first stage's own score and the best system's, None where the suite has none of them."""
    metric = resolved.suite.metrics[0]
    rows = frame[(frame["collection"] == dataset) & (frame["first_stage"] == stage)]
    rows = rows[rows[metric].notna()]
    own, reranked = rows[~rows["reranks"]], rows[rows["reranks"]].sort_values(metric)
    return {
        f"{metric} before": None if own.empty else own[metric].iloc[0],
        f"{metric} after": None if reranked.empty else reranked[metric].iloc[-1],
        "by": None if reranked.empty else reranked["label"].iloc[-1],
    }


def audits(resolved: Resolved, root: Path) -> pd.DataFrame:
    """What could make a run's score wrong, counted, a row a run."""
    names = {"missing_queries": "missing queries", "unjudged_queries": "not judged",
             "short_lists": "short lists", "ties_top10": "ties in first 10",
             "unjudged_top10": "unjudged in first 10", "truncated_passages": "passages cut",
             "repaired_answers": "answers repaired", "rejected_answers": "rejected"}  # fmt: skip
    rows = [
        {"collection": dataset, "first stage": stage, "system": item["system"],
         "label": resolved.label(item["system"]), "seed": item["seed"]}
        | {shown: item[name] for name, shown in names.items()}
        for dataset, stage in resolved.pairs
        for item in read_json(root / "audits" / dataset / f"{stage}.json")["systems"]
    ]  # fmt: skip
    return pd.DataFrame(rows)


def leaks(resolved: Resolved, root: Path) -> pd.DataFrame:
    """The leak audit of each trained system, a row a seed."""
    rows = []
    for dataset, stage in resolved.pairs:
        for item in read_json(root / "audits" / dataset / f"{stage}.json")["systems"]:
            if item["leak"]:
                about = {"collection": dataset, "first stage": stage}
                about |= {"system": item["system"], "label": resolved.label(item["system"])}
                about |= {"seed": item["seed"]}
                rows.append(about | item["leak"])
    return pd.DataFrame(rows).rename(columns=lambda name: name.replace("_", " "))


def ablation(resolved: Resolved, root: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """What each choice is worth against the suite's `ablation` system, a row a system.

    frame: what `comparison` gave. The encoder's own score stands beside the reranking's, and the
    score on test queries none of whose positives was a training positive.
    """
    metric = resolved.suite.metrics[0]
    keys = list(zip(frame["collection"], frame["first_stage"], frame["system"], strict=True))
    scores = dict(zip(keys, frame[metric], strict=True))
    base = [scores[c, stage, resolved.suite.ablation] for c, stage, _ in keys]
    kept = ["collection", "first_stage", "label", metric, f"{metric} sd"]
    table = frame.reindex(columns=[*kept, "encoder alone", "encoder alone sd", "seeds"])
    table.insert(5, "difference", frame[metric] - base)
    audited = leaks(resolved, root)
    if len(audited):
        by_system = audited.groupby(["collection", "first stage", "system"])
        clean = by_system["score without overlap"].mean()
        table["without overlap"] = [clean.get(key) for key in keys]
    return table


def read_json(path: Path) -> Any:
    """A result file. FileNotFoundError says which job makes it."""
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; run `snakemake --cores 2 all` to make it")
    return read_sealed(path)


def _row(resolved: Resolved, root: Path, dataset: str, stage: str, system: str) -> dict[str, Any]:
    path = root / "scores" / dataset / f"{stage}.parquet"
    scores = read_columns(path, SCORES).to_pandas()
    scores = scores[scores["system"] == system]
    by_seed = scores.groupby(["metric", "seed"])["value"].mean()
    row: dict[str, Any] = {"collection": dataset, "first_stage": stage, "system": system}
    row["label"] = resolved.label(system)
    row["reranks"] = resolved.reranks(system)
    if is_random(resolved.systems[system]):
        by_seed = by_seed[:0]  # what random weights score says nothing
    for metric in resolved.suite.metrics:
        if metric not in by_seed:
            row[metric] = row[f"{metric} sd"] = None
            continue
        row[metric] = float(by_seed[metric].mean())
        row[f"{metric} sd"] = float(by_seed[metric].std()) if len(by_seed[metric]) > 1 else None
    own = f"{ENCODER}{resolved.suite.metrics[0]}"
    if own in by_seed:
        row["encoder alone"] = float(by_seed[own].mean())
        row["encoder alone sd"] = float(by_seed[own].std()) if len(by_seed[own]) > 1 else None
    row["seeds"] = int(scores["seed"].nunique())
    row["queries"] = int(scores["query_id"].nunique())
    return (
        row
        | _usage(resolved, root, dataset, stage, system)
        | _times(root / "efficiency" / dataset / stage / f"{system}.json")
    )


def read_usage(
    resolved: Resolved, root: Path, dataset: str, stage: str, system: str
) -> pd.DataFrame:
    """What a system consumed, a row a query and seed."""
    folder = root / "runs" / dataset / stage / system
    runs = [folder / f"seed{seed}.trec" for seed in resolved.seeds_of(system)]
    usage: pd.DataFrame = pd.concat(
        [read_columns(usage_of(run), LEDGER.names).to_pandas() for run in runs]
    )
    return usage


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
        **{name: means[name] for name in USAGE[1:]},
    }


def _rankings(usage: pd.DataFrame) -> Iterator[tuple[Usage, int]]:
    """Each ranking's usage and its number of candidates."""
    counters = [field.name for field in fields(Usage)]
    for candidates, *counts in usage[["candidates", *counters]].itertuples(index=False):
        yield Usage(*map(int, counts)), int(candidates)


def _times(path: Path) -> dict[str, Any]:
    found = read_json(path)
    times: dict[str, Any] = {}
    for mode in ("online", "cached"):
        for point in ("p50_ms", "p95_ms"):
            times[f"{point}_{mode}"] = found.get(mode, {}).get(point)
    about = {"dtype": found["dtype"], "threads": found["threads"], "timed": found["timed"]}
    return (
        times
        | about
        | {"processor": found["machine"]["processor"], "timed_queries": len(found["query_ids"])}
    )
