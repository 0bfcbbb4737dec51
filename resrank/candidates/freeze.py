"""Freeze a first stage's lists, with what they allow at best written beside them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resrank.candidates.base import SPLITS, FirstStageKind, StageInputs
from resrank.evaluation.audits import lists_with_ties, short_lists
from resrank.evaluation.metrics import averages, falling, per_query
from resrank.io.candidates import RankedList
from resrank.io.collection import Collection
from resrank.io.hashing import sha256_file
from resrank.io.manifest import write_manifest
from resrank.model.out_of_memory import Halvings
from resrank.records import Qrels, Split

FEW = 0.05  # of the judged queries; more without a candidate are a sign of a wrong analyser


def freeze(
    collection: Collection,
    stage: FirstStageKind,
    out: Path,
    store: Path | None = None,
    fused: Mapping[str, Path] | None = None,
    shard_stores: Sequence[Path] = (),
) -> None:
    """Write `out` (parquet) and its manifest: hash, recall, oracle, short lists, ties by split.

    store, fused, shard_stores: see `StageInputs`.
    """
    inputs = StageInputs(collection, store, shard_stores, fused or {})
    halved = Halvings()
    written = stage.write(inputs, out)
    splits = {
        str(split): describe(written.lists, collection, split, stage.depth)
        for split in SPLITS
        if collection.queries(split)
    }
    for split, measures in splits.items():
        if many_without_candidates(measures):
            print(
                f"warning: {collection.folder.name}, {split}: {_advice(measures)}", file=sys.stderr
            )
    write_manifest(
        out.with_suffix(".manifest.json"),
        inputs={"collection": collection.hash}
        | dict(written.inputs)
        | {name: sha256_file(path) for name, path in inputs.fused.items()},
        config=stage.model_dump(mode="json"),
        outputs=[out],
        depth=stage.depth,
        halved_batches=halved.batches,
        hash=written.hash,
        splits=splits,
        **({} if written.origin is None else {"origin": dict(written.origin)}),
    )


def many_without_candidates(measures: Mapping[str, Any]) -> bool:
    """Return whether more than 5% of a split's judged queries have no candidate."""
    share: float = measures["queries_without_candidates"] / max(1, measures["judged_queries"])
    return share > FEW


def _advice(measures: Mapping[str, Any]) -> str:
    return (
        f"{measures['queries_without_candidates']} of {measures['judged_queries']} judged queries "
        "have no candidate. If their language is not English, set the first stage's `analyser` to "
        "unicode or icu (docs/configuration.md)"
    )


def describe(
    lists: Mapping[str, RankedList], collection: Collection, split: Split, depth: int
) -> dict[str, Any]:
    """Return what a reranker of these lists can reach, over every judged query of the split."""
    qrels = collection.qrels(split)
    judged = {q: lists.get(q, []) for q in qrels}
    grade = int(collection.manifest["config"].get("relevant_grade", 1))
    recall = per_query([f"Recall@{depth}"], qrels, _plain(judged), grade)
    return {
        "queries": len(collection.queries(split)),
        "judged_queries": len(qrels),
        f"recall@{depth}": averages(recall).get(f"Recall@{depth}"),
        "oracle_nDCG@10": averages(per_query(["nDCG@10"], qrels, oracle(judged, qrels))).get(
            "nDCG@10"
        ),
        "short_lists": short_lists(judged.values(), depth),
        "queries_without_candidates": sum(not ranked for ranked in judged.values()),
        "queries_with_ties_in_first_10": lists_with_ties(judged.values(), 10),
        "candidates": sum(map(len, judged.values())),
    }


def oracle(lists: Mapping[str, RankedList], qrels: Qrels) -> dict[str, dict[str, float]]:
    """Return the lists reordered by grade: the best that any reranker could do with them."""
    return {
        q: {p: qrels[q].get(p, 0) + 1 / (2 + place) for place, (p, _) in enumerate(ranked)}
        for q, ranked in lists.items()
    }


def _plain(lists: Mapping[str, RankedList]) -> dict[str, dict[str, float]]:
    """Return scores that decrease with the rank: a list's own order decides its ties."""
    return {q: falling(p for p, _ in ranked) for q, ranked in lists.items()}
