"""Frozen candidate lists joined with their passages' texts."""

from __future__ import annotations

from pathlib import Path

from resrank.io.candidates import read_candidates
from resrank.io.collection import Collection
from resrank.records import Candidate, Split


def candidate_lists(
    collection: Collection, candidates: Path, *splits: Split
) -> dict[str, list[Candidate]]:
    """Candidates with text, best first, of each query of the splits (all if none is given).

    Raises ValueError if the lists name a passage that the collection does not have.
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
