"""How far a system's rankings move with what should not matter, or is left unsaid.

The same queries are reranked again with other batch sizes, other number formats, the candidates in
other orders, and the models of other seeds; each time everything else stays as it was.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resrank.evaluation.agreement import mean_tau
from resrank.evaluation.metrics import averages, falling, per_query
from resrank.io.collection import Collection
from resrank.io.manifest import write_checked_json, write_manifest
from resrank.jobs.inputs import in_sample_order, inputs_of, load, test_requests
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
Orders = list[tuple[str, ...]]


class Variant(NamedTuple):
    """One other way to run a system: of which kind, what was changed, and the rankings.

    refused: why the system cannot be run so; there are no rankings then.
    """

    kind: str
    name: str
    orders: Orders
    refused: str = ""


def sensitivity(
    collection: Collection, candidates: Path, name: str, spec: System, models: Sequence[Path],
    parts: Sequence[Path], queries: int, out: Path,
) -> None:  # fmt: skip
    """Write to `out` (JSON) what each variant changes on a sample of the judged test queries.

    models: of each seed, the first one's behind everything but the seeds; none if untrained;
    parts: manifests of the trained models that the system stands on.
    """
    qrels = collection.qrels(Split.TEST)
    usable = (r for r in test_requests(collection, candidates) if r[1] and r[0].id in qrels)
    requests = in_sample_order(usable)[:queries]
    if not requests:
        raise ValueError(
            f"no judged test query of {collection.folder} has candidates; nothing to rerank"
        )
    judged = {query.id: qrels[query.id] for query, _ in requests}
    base, *others = variants(spec, models, requests)
    score = _score(judged, base.orders)
    result = {
        "system": name,
        "metric": METRIC,
        "queries": len(requests),
        "score": score,
        "variants": [_change(judged, base.orders, score, other) for other in others],
    }
    write_checked_json(out, result)
    manifests = [model.parent / f"{model.name}.manifest.json" for model in models]
    write_manifest(
        out.with_suffix(".manifest.json"),
        inputs=inputs_of(collection, candidates, [*manifests, *parts]),
        config={"system": spec.model_dump(mode="json"), "queries": queries},
        outputs=[out],
    )


def variants(spec: System, models: Sequence[Path], requests: Sequence[Request]) -> list[Variant]:
    """The system as it is, first; then every variant that it has."""
    model = models[0] if models else None
    lists = {"as it is": list(requests)} | reordered(requests)
    orders = _rank(spec, model, list(lists.values()))
    found = [Variant("order", name, o) for name, o in zip(lists, orders, strict=True)]
    options = expanded(spec.kind, spec.options)
    changes: list[tuple[str, str, Mapping[str, Any]]]
    changes = [("batch", "small", SMALL), ("batch", "large", LARGE)]
    changes += [("dtype", f, {"dtype": f, "reranker_dtype": f}) for f in FORMATS]
    for kind, name, change in changes:
        other = changed(options, change)
        if other != options:
            again = spec.model_copy(update={"options": other})
            found.append(_variant(kind, name, again, model, requests))
    for seed in models[1:]:
        found.append(Variant("seed", seed.name, _rank(spec, seed, [requests])[0]))
    return found


def _variant(
    kind: str, name: str, spec: System, model: Path | None, requests: Sequence[Request]
) -> Variant:
    """A variant of the options. A system may refuse some, as weights that must be as they were."""
    try:
        return Variant(kind, name, _rank(spec, model, [requests])[0])
    except ValueError as error:
        return Variant(kind, name, [], str(error))


def _change(judged: Qrels, base: Orders, score: float, other: Variant) -> dict[str, Any]:
    about = {"kind": other.kind, "name": other.name}
    if other.refused:
        return about | {"refused": other.refused}
    tau = mean_tau(base, other.orders)
    return about | {"difference": _score(judged, other.orders) - score, "tau": tau}


def reordered(requests: Sequence[Request]) -> dict[str, list[Request]]:
    """The same candidates reversed, and shuffled by five seeds."""
    found = {"reversed": [(query, listed[::-1]) for query, listed in requests]}
    for seed in range(1, SHUFFLES + 1):
        rng = np.random.default_rng(seed)
        found[f"shuffled {seed}"] = [
            (query, [listed[i] for i in rng.permutation(len(listed))]) for query, listed in requests
        ]
    return found


def expanded(kind: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A kind's options with every default written out, those of a system held within too."""
    whole: dict[str, Any] = options_of(kind, options).model_dump(mode="json")
    for key, value in whole.items():
        if isinstance(value, dict) and value.get("kind") in KINDS and "options" in value:
            whole[key] = value | {"options": expanded(value["kind"], value["options"])}
    return whole


def changed(options: Any, change: Mapping[str, Any]) -> Any:
    """The options with these keys set wherever they stand, at any depth."""
    if not isinstance(options, dict):
        return options
    return {
        key: change[key] if key in change else changed(value, change)
        for key, value in options.items()
    }


def _rank(spec: System, model: Path | None, lists: Sequence[Sequence[Request]]) -> list[Orders]:
    """Rankings of each of several lists of requests by one loading of the system.

    Embeddings are made anew, in a store of their own: the usual one would hide what changed them.
    """
    reranker = load(spec, model)
    with tempfile.TemporaryDirectory() as folder:
        if reranker.caches_passages:
            reranker.prepare((c.passage for _, listed in lists[0] for c in listed), Path(folder))
        return [[r.passage_ids for r in reranker.rerank_many(found)] for found in lists]


def _score(qrels: Qrels, orders: Orders) -> float:
    runs = zip(qrels, orders, strict=True)  # the queries in the order of the requests
    run = {query_id: falling(order) for query_id, order in runs}
    return averages(per_query([METRIC], qrels, run))[METRIC]
