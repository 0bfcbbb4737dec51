"""Freeze a first stage's lists, with what they allow at best written beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from resrank.candidates.bm25 import search
from resrank.candidates.exported import take_over
from resrank.candidates.fusion import fuse
from resrank.candidates.kinds import (
    Bm25Stage,
    DenseStage,
    FirstStage,
    FrozenStage,
    FusionStage,
    RunStage,
)
from resrank.evaluation.audits import lists_with_ties, short_lists
from resrank.evaluation.metrics import averages, falling, per_query, trec_order
from resrank.io.candidates import RankedList, read_candidates, write_candidates
from resrank.io.collection import Collection
from resrank.io.hashing import sha256_file
from resrank.io.manifest import write_manifest
from resrank.io.text import DataError
from resrank.io.trec import read_run
from resrank.model.out_of_memory import Halvings
from resrank.records import Qrels, Split

SPLITS = (Split.TRAIN, Split.DEV, Split.TEST)


def freeze(
    collection: Collection,
    spec: FirstStage,
    out: Path,
    store: Path | None = None,
    fused: Mapping[str, Path] | None = None,
    shard_stores: Sequence[Path] = (),
) -> None:
    """Write `out` (parquet) and its manifest: hash, recall, oracle, short lists, ties by split.

    store: the folder of passage embeddings, for a dense stage; fused: the candidates of each stage
    that a fusion names; shard_stores: of the shards that embedded for a dense stage.
    """
    lists: Mapping[str, RankedList]
    origin: dict[str, Any] = {}
    halved = Halvings()
    if isinstance(spec, FrozenStage):
        lists, origin["origin"] = take_over(spec, collection, out)
        content = spec.hash
    else:
        lists = _lists(collection, spec, store, shard_stores, fused or {})
        content = write_candidates(out, lists)
    write_manifest(
        out.with_suffix(".manifest.json"),
        inputs={"collection": collection.hash}
        | ({"run": sha256_file(spec.path)} if isinstance(spec, RunStage) else {})
        | ({"frozen": sha256_file(out)} if isinstance(spec, FrozenStage) else {})
        | {name: sha256_file(path) for name, path in (fused or {}).items()},
        config=spec.model_dump(mode="json"),
        depth=spec.depth,
        halved_batches=halved.batches,
        hash=content,
        splits={
            str(split): describe(lists, collection, split, spec.depth)
            for split in SPLITS
            if collection.queries(split)
        },
        **origin,
    )


def describe(
    lists: Mapping[str, RankedList], collection: Collection, split: Split, depth: int
) -> dict[str, Any]:
    """What a reranker of these lists can reach, over every judged query of the split."""
    qrels = collection.qrels(split)
    found = {q: lists.get(q, []) for q in qrels}
    grade = int(collection.manifest["config"].get("relevant_grade", 1))
    recall = per_query([f"Recall@{depth}"], qrels, _plain(found), grade)
    return {
        "queries": len(collection.queries(split)),
        "judged_queries": len(qrels),
        f"recall@{depth}": averages(recall).get(f"Recall@{depth}"),
        "oracle_nDCG@10": averages(per_query(["nDCG@10"], qrels, oracle(found, qrels))).get(
            "nDCG@10"
        ),
        "short_lists": short_lists(found.values(), depth),
        "queries_without_candidates": sum(not ranked for ranked in found.values()),
        "queries_with_ties_in_first_10": lists_with_ties(found.values(), 10),
        "candidates": sum(map(len, found.values())),
    }


def oracle(lists: Mapping[str, RankedList], qrels: Qrels) -> dict[str, dict[str, float]]:
    """The lists reordered by grade: the best that any reranker could do with them."""
    return {
        q: {p: qrels[q].get(p, 0) + 1 / (2 + place) for place, (p, _) in enumerate(ranked)}
        for q, ranked in lists.items()
    }


def _lists(
    collection: Collection, spec: FirstStage, store: Path | None, shard_stores: Sequence[Path],
    fused: Mapping[str, Path],
) -> Mapping[str, RankedList]:  # fmt: skip
    queries = [q for q in collection.queries(*SPLITS) if q.text]
    if isinstance(spec, Bm25Stage):
        return search(queries, collection.passages, spec)
    if isinstance(spec, DenseStage):
        from resrank.candidates import dense

        if store is None:
            raise ValueError("a dense first stage needs the folder of embeddings; give --store")
        return dense.search(queries, collection.passages, spec, store, shard_stores)
    if isinstance(spec, FusionStage):
        absent = [name for name in spec.of if name not in fused]
        if absent:
            raise ValueError(f"no candidates given for {', '.join(absent)}; give --fused")
        return fuse([read_candidates(fused[name]) for name in spec.of], spec.k, spec.depth)
    if isinstance(spec, RunStage):
        lists: Mapping[str, RankedList] = _from_run(collection, spec)
    else:
        lists = read_candidates(collection.folder / "imported.parquet")
    return {q.id: _cut(lists[q.id], q.excluded, spec.depth) for q in queries if q.id in lists}


def _cut(ranked: RankedList, excluded: str | None, depth: int) -> RankedList:
    return [(p, score) for p, score in ranked if p != excluded][:depth]


def _from_run(collection: Collection, spec: RunStage) -> dict[str, RankedList]:
    """A run's lists in the order that trec_eval would read them in."""
    run = read_run(spec.path)
    listed = {p for ranked in run.values() for p, _ in ranked}
    absent = sorted(listed - collection.passages.of(listed).keys())
    if absent:
        raise DataError(
            f"{spec.path}: {len(absent)} passages are not in the collection "
            f"({', '.join(map(repr, absent[:3]))}, ...); a run must be of this collection"
        )
    if not any(q.id in run for q in collection.queries(*SPLITS)):
        raise DataError(f"{spec.path}: no query of the run ({min(run)!r}, ...) is judged here")
    scores = {q: dict(ranked) for q, ranked in run.items()}
    return {q: [(p, scores[q][p]) for p in trec_order(r)] for q, r in run.items()}


def _plain(lists: Mapping[str, RankedList]) -> dict[str, dict[str, float]]:
    """Scores that decrease with the rank: a list's own order decides its ties."""
    return {q: falling(p for p, _ in ranked) for q, ranked in lists.items()}
