"""Queries to look into: a bounded sample of each candidate set, compressed for the page.

A set is JSON lines, a query a line, gzipped and in base64; the page unpacks the one it shows. A
line: `id`, `text`, `scores` {system: value}, `candidates` (how many), `passages` [id, text, grade
or null, place in the first stage] and `rankings` {system: places in `passages`, best first}.
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

QUERIES = 40  # of a candidate set, the first by hash of their id
DEPTH = 20  # places shown of a ranking
CHARACTERS = 400  # shown of a passage
BYTES = 1_800_000  # of all sets together, compressed

Runs = Mapping[str, Mapping[str, Sequence[tuple[str, float]]]]


def samples(root: Path, pairs: Sequence[tuple[str, str]], metric: str) -> list[dict[str, Any]]:
    """A sample of each (collection, first stage): its names, queries shown, of how many, data."""
    budget = BYTES // max(1, len(pairs))
    return [_sample(root, dataset, stage, metric, budget) for dataset, stage in pairs]


def _sample(root: Path, dataset: str, stage: str, metric: str, budget: int) -> dict[str, Any]:
    collection = Collection(root / "collections" / dataset)
    judged = [q for q in collection.queries(Split.TEST) if q.text]
    chosen = in_hash_order(judged, lambda query: query.id)[:QUERIES]
    lines = _lines(root, collection, stage, metric, chosen)
    packed, shown = pack(lines, budget)
    return {
        "collection": dataset, "stage": stage, "metric": metric, "shown": shown,
        "of": len(judged), "data": base64.b64encode(packed).decode("ascii"),
    }  # fmt: skip


def pack(lines: Iterable[str], budget: int) -> tuple[bytes, int]:
    """As many of the lines, gzipped, as fit in `budget` bytes; and how many they are."""
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
        p for run in runs.values() for found in run.values() for p, _ in found[:DEPTH]
    )
    scores = _scores(root / "scores" / dataset / f"{stage}.parquet", metric, ids)
    lines = []
    for query in queries:
        places = {p: n for n, (p, _) in enumerate(lists.get(query.id, []), start=1)}
        tops = {s: [p for p, _ in run.get(query.id, [])[:DEPTH]] for s, run in runs.items()}
        shown = list(dict.fromkeys(p for top in tops.values() for p in top))
        grades = qrels.get(query.id, {})
        line = {
            "id": query.id,
            "text": query.text,
            "scores": scores.get(query.id, {}),
            "candidates": len(places),
            "passages": [
                [p, cut(texts[p].text if p in texts else ""), grades.get(p), places.get(p)]
                for p in shown
            ],
            "rankings": {s: [shown.index(p) for p in top] for s, top in tops.items()},
        }
        lines.append(json.dumps(line, ensure_ascii=False))
    return lines


def cut(text: str) -> str:
    """A passage as the page shows it, with a sign where its end is left out."""
    return text if len(text) <= CHARACTERS else f"{text[:CHARACTERS]} […]"


def _runs(folder: Path, ids: set[str]) -> Runs:
    """Each system's rankings of some queries, by its first seed."""
    found = {}
    for system in sorted(path for path in folder.iterdir() if path.is_dir()):
        seeds = sorted(system.glob("seed*.usage.parquet"), key=_seed)
        if seeds:
            path = seeds[0].with_name(seeds[0].name.replace(".usage.parquet", ".trec"))
            check_run(path)
            run = read_run(path)
            found[system.name] = {q: listed for q, listed in run.items() if q in ids}
    return found


def _seed(path: Path) -> int:
    return int(path.name.removeprefix("seed").partition(".")[0])


def _scores(path: Path, metric: str, ids: set[str]) -> dict[str, dict[str, float]]:
    """Query -> system -> the metric's value, by each system's first seed."""
    wanted = [("metric", "=", metric), ("query_id", "in", sorted(ids))]
    names = ["seed", "query_id", "system", "value"]
    columns = read_columns(path, names, wanted).sort_by([("seed", "ascending")]).to_pydict()
    found: dict[str, dict[str, float]] = {}
    for query_id, system, value in zip(*(columns[name] for name in names[1:]), strict=True):
        found.setdefault(query_id, {}).setdefault(system, round(value, 4))
    return found
