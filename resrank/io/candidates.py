"""Frozen candidate lists on disk, and the same lists with their passages' texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from resrank.io.atomic import atomic_file
from resrank.io.collection import Collection
from resrank.io.hashing import sha256_lines
from resrank.io.parquet import read_columns, write_table
from resrank.records import Candidate, Split

CANDIDATES = pa.schema(
    [
        ("query_id", pa.string()),
        ("passage_id", pa.string()),
        ("rank", pa.int32()),
        ("score", pa.float64()),
    ]
)
RankedList = Sequence[tuple[str, float]]
"""(passage id, score) pairs, best first."""


def write_candidates(path: Path, lists: Mapping[str, RankedList]) -> str:
    """Write candidate lists as parquet, rows by query id, then rank; return their content hash."""
    rows = list(_rows(lists))
    columns = {name: [row[i] for row in rows] for i, name in enumerate(CANDIDATES.names)}
    with atomic_file(path) as partial:
        write_table(partial, pa.table(columns, CANDIDATES))
    return candidates_hash(lists)


def candidates_hash(lists: Mapping[str, RankedList]) -> str:
    """Return a hash of the lists' content, which does not depend on the file format."""
    return sha256_lines(json.dumps(row) for row in _rows(lists))


def _rows(lists: Mapping[str, RankedList]) -> Iterator[tuple[str, str, int, float]]:
    for query_id in sorted(lists):
        for rank, (passage_id, score) in enumerate(lists[query_id], start=1):
            yield query_id, passage_id, rank, float(score)


def read_candidates(
    path: Path, query_ids: Iterable[str] | None = None
) -> dict[str, list[tuple[str, float]]]:
    """Return candidate lists by query id, best first; only those of `query_ids`, if given."""
    if not path.is_file():
        raise FileNotFoundError(
            f"no candidates at {path}; make them with `python -m resrank job candidates`"
        )
    ids = None if query_ids is None else list(query_ids)
    if ids == []:
        return {}
    wanted = None if ids is None else [("query_id", "in", ids)]
    table = read_columns(path, ["query_id", "passage_id", "score"], wanted).to_pydict()
    lists: dict[str, list[tuple[str, float]]] = {}
    columns = (table["query_id"], table["passage_id"], table["score"])
    for query_id, passage_id, score in zip(*columns, strict=True):
        lists.setdefault(query_id, []).append((passage_id, score))
    return lists


def candidate_lists(
    collection: Collection, candidates: Path, *splits: Split
) -> dict[str, list[Candidate]]:
    """Return each query's candidates with texts, best first; all splits if none is given.

    Raises ValueError if the lists name a passage that is not in the collection.
    """
    lists: dict[str, list[Candidate]] = {}
    frozen = read_candidates(candidates, [q.id for q in collection.queries(*splits)])
    passages = collection.passages.of(p for ranked in frozen.values() for p, _ in ranked)
    for query_id, ranked in frozen.items():
        absent = next((p for p, _ in ranked if p not in passages), None)
        if absent is not None:
            raise ValueError(
                f"{candidates}: query {query_id!r} lists passage {absent!r}, which is not in "
                f"{collection.folder}; freeze the candidates again"
            )
        lists[query_id] = [Candidate(passages[p], score) for p, score in ranked]
    return lists
