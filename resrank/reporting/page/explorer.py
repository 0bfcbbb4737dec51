"""Queries to explore on the page: a bounded sample of each candidate set, compressed.

A sample is JSON lines, one per query, gzipped and in base64. The page unpacks only the sample that
it displays. A line has:
- `id`, `text`, and `scores` {system: value};
- `candidates`: their number;
- `passages`: [id, text, grade or null, place in the first stage];
- `rankings`: {system: indices in `passages`, best first}.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from resrank.io.candidates import read_candidates
from resrank.io.collection import Collection
from resrank.io.hashing import in_hash_order
from resrank.io.manifest import check_run
from resrank.io.parquet import read_columns
from resrank.io.trec import read_run
from resrank.records import Query, Split

QUERIES = 40  # per candidate set, the first by hash of their id
DEPTH = 20  # places displayed per ranking
CHARACTERS = 400  # displayed per passage
BYTES = 1_800_000  # for all samples together, compressed

RankingsBySystem = Mapping[str, Mapping[str, Sequence[tuple[str, float]]]]
"""System -> query id -> (passage id, score), best first."""


def samples(root: Path, pairs: Sequence[tuple[str, str]], metric: str) -> list[dict[str, Any]]:
    """Return a sample of each (collection, first stage).

    A sample has the set's names, its metric, the number of queries in the sample and in the set,
    and the compressed data.
    """
    budget = BYTES // max(1, len(pairs))
    return [_sample(root, dataset, stage, metric, budget) for dataset, stage in pairs]


def _sample(root: Path, dataset: str, stage: str, metric: str, budget: int) -> dict[str, Any]:
    collection = Collection(root / "collections" / dataset)
    judged = [q for q in collection.queries(Split.TEST) if q.text]
    chosen = in_hash_order(judged, lambda query: query.id)[:QUERIES]
    packed, count = pack(_lines(root, collection, stage, metric, chosen), budget)
    return {
        "collection": dataset,
        "stage": stage,
        "metric": metric,
        "sampled": count,
        "total": len(judged),
        "data": base64.b64encode(packed).decode("ascii"),
    }


def pack(lines: Iterable[str], budget: int) -> tuple[bytes, int]:
    """Gzip as many of the lines as fit in `budget` bytes; return the bytes and their number."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: with gzip's header
    done, count, kept = b"", 0, packer.copy()
    for line in lines:
        added = packer.compress(line.encode() + b"\n") + packer.flush(zlib.Z_SYNC_FLUSH)
        if len(done) + len(added) > budget:
            break
        done, count, kept = done + added, count + 1, packer.copy()
    return done + kept.flush(), count


def _lines(
    root: Path, collection: Collection, stage: str, metric: str, queries: Sequence[Query]
) -> list[str]:
    dataset = collection.folder.name
    ids = {q.id for q in queries}
    runs = _runs(root / "runs" / dataset / stage, ids)
    lists = read_candidates(root / "candidates" / dataset / f"{stage}.parquet", sorted(ids))
    qrels = collection.qrels(Split.TEST)
    texts = collection.passages.of(
        p for run in runs.values() for ranking in run.values() for p, _ in ranking[:DEPTH]
    )
    scores = _scores(root / "scores" / dataset / f"{stage}.parquet", metric, ids)
    lines = []
    for query in queries:
        places = {p: n for n, (p, _) in enumerate(lists.get(query.id, []), start=1)}
        tops = {s: [p for p, _ in run.get(query.id, [])[:DEPTH]] for s, run in runs.items()}
        displayed = list(dict.fromkeys(p for top in tops.values() for p in top))
        grades = qrels.get(query.id, {})
        line = {
            "id": query.id,
            "text": query.text,
            "scores": scores.get(query.id, {}),
            "candidates": len(places),
            "passages": [
                [p, truncate(texts[p].text if p in texts else ""), grades.get(p), places.get(p)]
                for p in displayed
            ],
            "rankings": {s: [displayed.index(p) for p in top] for s, top in tops.items()},
        }
        lines.append(json.dumps(line, ensure_ascii=False))
    return lines


def truncate(text: str) -> str:
    """Return a passage as the page displays it, with a sign where its end is left out."""
    return text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]} […]"


def _runs(folder: Path, ids: set[str]) -> RankingsBySystem:
    """Return each system's rankings of the given queries, by its first seed."""
    runs = {}
    for system in sorted(path for path in folder.iterdir() if path.is_dir()):
        seeds = sorted(system.glob("seed*.usage.parquet"), key=_seed)
        if seeds:
            path = seeds[0].with_name(seeds[0].name.replace(".usage.parquet", ".trec"))
            check_run(path)
            run = read_run(path)
            runs[system.name] = {q: ranking for q, ranking in run.items() if q in ids}
    return runs


def _seed(path: Path) -> int:
    return int(path.name.removeprefix("seed").partition(".")[0])


def _scores(path: Path, metric: str, ids: set[str]) -> dict[str, dict[str, float]]:
    """Return query id -> system -> the metric's value, by each system's first seed."""
    wanted = [("metric", "=", metric), ("query_id", "in", sorted(ids))]
    names = ["seed", "query_id", "system", "value"]
    columns = read_columns(path, names, wanted).sort_by([("seed", "ascending")]).to_pydict()
    scores: dict[str, dict[str, float]] = {}
    for query_id, system, value in zip(*(columns[name] for name in names[1:]), strict=True):
        scores.setdefault(query_id, {}).setdefault(system, round(value, 4))
    return scores
