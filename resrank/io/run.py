"""Runs and usage on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from resrank.io.atomic import atomic_file
from resrank.io.parquet import write_table
from resrank.records import Ranking, Usage

USAGE = pa.schema(
    [("query_id", pa.string())]
    + [(name, pa.int64()) for name in ("candidates", *(f.name for f in fields(Usage)))]
)
TIED = "tied_scores"
"""Column of the candidates whose scores are equal; empty where the system gave no scores."""
USAGE_AND_TIES = USAGE.append(pa.field(TIED, pa.int64()))


def write_run(
    path: Path, rankings: Iterable[Ranking], tag: str, *, with_scores: bool = False
) -> None:
    """Write a TREC run with strictly decreasing scores (n, n-1, ... 1: no tie can reorder it).

    Columns are separated by tabs: TREC tools read them as white space, and `read_run` keeps
    ids that hold spaces. with_scores: write the reranker's scores instead, which may be tied.
    """
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        for ranking in sorted(rankings, key=lambda r: r.query_id):
            depth = len(ranking.passage_ids)
            scores = ranking.scores if with_scores else range(depth, 0, -1)
            listed = zip(ranking.passage_ids, scores, strict=True)
            for rank, (passage_id, score) in enumerate(listed, start=1):
                row = (ranking.query_id, "Q0", passage_id, rank, score, tag)
                file.write("\t".join(map(str, row)) + "\n")


def encoder_run(run: Path) -> Path:
    """Return the path of the ranking by a reranker's encoder alone, of the same candidates."""
    return run.with_suffix(".encoder.trec")


def usage_of(run: Path) -> Path:
    """Return the path of a run's usage."""
    return run.with_suffix(".usage.parquet")


def write_usage(path: Path, rankings: Iterable[Ranking]) -> None:
    """Write the usage and the numbers of candidates and of equal scores, one row per query."""
    write_usage_rows(
        path,
        [
            {"query_id": r.query_id, "candidates": len(r.passage_ids), **asdict(r.usage)}
            | {TIED: tied_scores(r.scores)}
            for r in sorted(rankings, key=lambda r: r.query_id)
        ],
    )


def write_usage_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of query_id, candidates, the counts of `Usage` and `TIED`."""
    with atomic_file(path) as partial:
        write_table(partial, pa.Table.from_pylist(list(rows), USAGE_AND_TIES))


def tied_scores(scores: Sequence[float]) -> int | None:
    """Return how many scores of a ranking equal another one; the first stage orders those.

    None for the scores n, n-1, ... 1: the system gave an order without scores.
    """
    if list(scores) == list(range(len(scores), 0, -1)):
        return None
    return sum(count for count in Counter(scores).values() if count > 1)
