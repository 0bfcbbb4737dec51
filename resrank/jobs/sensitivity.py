"""How far a system's rankings move with what should not matter, or is left unspecified.

The same queries are reranked with other batch sizes, other number formats, the candidates in other
orders, and the models of other seeds; each time everything else stays as it was.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resrank.evaluation.agreement import mean_tau
from resrank.evaluation.metrics import averages, falling, per_query
from resrank.io.manifest import manifest_of, write_checked_json, write_manifest
from resrank.jobs.inputs import RankingJob, in_sample_order, load
from resrank.ranking import Request
from resrank.records import Qrels, Split
from resrank.registry import KINDS
from resrank.reranker_entry import options_of
from resrank.suite.schema import System

METRIC = "nDCG@10"
SHUFFLES = 5
SMALL = {"batch_queries": 1, "batch_prompts": 1, "batch_windows": 1, "batch_tokens": 512}
LARGE = {"batch_queries": 64, "batch_prompts": 16, "batch_windows": 64, "batch_tokens": 16_384}
FORMATS = ("float32", "bfloat16")
Rankings = list[tuple[str, ...]]
"""Passage ids, best first, per query."""


class Variant(NamedTuple):
    """One other way to run a system: its kind, what was changed, and the rankings.

    refused: why the system cannot be run this way; there are no rankings then.
    """

    kind: str
    name: str
    rankings: Rankings
    refused: str = ""


class SeededSystem(NamedTuple):
    """A system with one seed: its entry, and its model if it is trained."""

    seed: int
    entry: System
    model: Path | None


@dataclass(frozen=True, kw_only=True)
class SensitivityJob(RankingJob):
    """Runs of one system in several variants.

    seeds: the system with each of its seeds; the first is used in every variant but the seeds'.
    queries: the number of judged test queries in the sample.
    """

    seeds: Sequence[SeededSystem]
    queries: int = 20


def sensitivity(job: SensitivityJob) -> None:
    """Write to `out` (JSON) what each variant changes on a sample of the judged test queries.

    Raises ValueError if no judged test query has candidates.
    """
    qrels = job.collection.qrels(Split.TEST)
    usable = (r for r in job.test_requests() if r[1] and r[0].id in qrels)
    requests = in_sample_order(usable)[: job.queries]
    if not requests:
        raise ValueError(
            f"no judged test query of {job.collection.folder} has candidates; nothing to rerank"
        )
    judged = {query.id: qrels[query.id] for query, _ in requests}
    base, *others = variants(job.seeds, requests)
    score = _score(judged, base.rankings)
    result = {
        "system": job.name,
        "metric": METRIC,
        "queries": len(requests),
        "score": score,
        "variants": [_change(judged, base.rankings, score, other) for other in others],
    }
    write_checked_json(job.out, result)
    manifests = [manifest_of(model) for _, _, model in job.seeds if model is not None]
    write_manifest(
        job.out.with_suffix(".manifest.json"),
        inputs=job.inputs() | {f"{path.parent.name}/{path.name}": path for path in manifests},
        config={"system": job.system.model_dump(mode="json"), "queries": job.queries},
        outputs=[job.out],
    )


def variants(seeds: Sequence[SeededSystem], requests: Sequence[Request]) -> list[Variant]:
    """Rank by the system as it is, first; then by every variant that it has."""
    _, system, model = seeds[0]
    lists = {"as it is": list(requests)} | reordered(requests)
    rankings = _rank(system, model, list(lists.values()))
    made = [Variant("order", name, r) for name, r in zip(lists, rankings, strict=True)]
    options = expanded(system.kind, system.options)
    changes: list[tuple[str, str, Mapping[str, Any]]]
    changes = [("batch", "small", SMALL), ("batch", "large", LARGE)]
    changes += [("dtype", f, {"dtype": f, "reranker_dtype": f}) for f in FORMATS]
    for kind, name, change in changes:
        other = changed(options, change)
        if other != options:
            made.append(Variant(kind, name, *_ranked(system, other, model, requests)))
    for seed, entry, other_model in seeds[1:]:
        made.append(Variant("seed", f"seed{seed}", _rank(entry, other_model, [requests])[0]))
    return made


def _ranked(
    system: System, options: dict[str, Any], model: Path | None, requests: Sequence[Request]
) -> tuple[Rankings, str]:
    """Return rankings with other options, or why the system refuses them.

    A system may refuse options that do not fit its weights.
    """
    changed_system = system.model_copy(update={"options": options})
    try:
        return _rank(changed_system, model, [requests])[0], ""
    except ValueError as error:
        return [], str(error)


def _change(judged: Qrels, base: Rankings, score: float, other: Variant) -> dict[str, Any]:
    about = {"kind": other.kind, "name": other.name}
    if other.refused:
        return about | {"refused": other.refused}
    tau = mean_tau(base, other.rankings)
    return about | {"difference": _score(judged, other.rankings) - score, "tau": tau}


def reordered(requests: Sequence[Request]) -> dict[str, list[Request]]:
    """Return the same candidates reversed, and shuffled by five seeds."""
    orders = {"reversed": [(query, listed[::-1]) for query, listed in requests]}
    for seed in range(1, SHUFFLES + 1):
        rng = np.random.default_rng(seed)
        orders[f"shuffled {seed}"] = [
            (query, [listed[i] for i in rng.permutation(len(listed))]) for query, listed in requests
        ]
    return orders


def expanded(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a kind's options with every default written out, also within nested systems."""
    whole: dict[str, Any] = options_of(kind, options).model_dump(mode="json")
    for key, value in whole.items():
        if isinstance(value, dict) and value.get("kind") in KINDS and "options" in value:
            whole[key] = value | {"options": expanded(value["kind"], value["options"])}
    return whole


def changed(options: Any, change: Mapping[str, Any]) -> Any:
    """Return the options with these keys set wherever they occur, at any depth."""
    if not isinstance(options, dict):
        return options
    return {
        key: change[key] if key in change else changed(value, change)
        for key, value in options.items()
    }


def _rank(system: System, model: Path | None, lists: Sequence[Sequence[Request]]) -> list[Rankings]:
    """Load the system once and rank each of several lists of requests.

    Embeddings are computed in a temporary store: the shared one would hide what changed them.
    """
    reranker = load(system, model)
    with tempfile.TemporaryDirectory() as folder:
        if reranker.caches_passages:
            reranker.prepare((c.passage for _, listed in lists[0] for c in listed), Path(folder))
        return [[r.passage_ids for r in reranker.rerank_many(listed)] for listed in lists]


def _score(qrels: Qrels, rankings: Rankings) -> float:
    runs = zip(qrels, rankings, strict=True)  # the queries in the order of the requests
    run = {query_id: falling(ranking) for query_id, ranking in runs}
    return averages(per_query([METRIC], qrels, run))[METRIC]
