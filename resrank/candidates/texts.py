"""Frozen candidate lists joined with their passages' texts."""

from __future__ import annotations

from pathlib import Path

from resrank.records import Candidate, Split
from resrank.store import Collection, read_candidates


def candidate_lists(
    collection: Collection, candidates: Path, *splits: Split
) -> dict[str, list[Candidate]]:
    """Candidates with text, best first, of each query of the splits (all if none is given).

    Raises ValueError if the lists name a passage that the collection does not have.
    """
    passages = {p.id: p for p in collection.passages()}
    lists: dict[str, list[Candidate]] = {}
    queries = [q.id for q in collection.queries(*splits)]
    for query_id, ranked in read_candidates(candidates, queries).items():
        absent = next((p for p, _ in ranked if p not in passages), None)
        if absent is not None:
            raise ValueError(
                f"{candidates}: query {query_id!r} lists passage {absent!r}, which is not in "
                f"{collection.folder}; freeze the candidates again"
            )
        lists[query_id] = [Candidate(passages[p], score) for p, score in ranked]
    return lists
