"""A reranker that does nothing; its time is the harness's overhead."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from resrank.ranking import Request
from resrank.records import Candidate, Query, Ranking

Rerank = Callable[[Query, Sequence[Candidate]], Ranking]


def null_rerank(requests: Sequence[Request]) -> Rerank:
    """Return a `rerank` that looks up rankings made beforehand, in the first stage's order."""
    rankings = {
        query.id: Ranking(
            query.id, tuple(c.passage.id for c in candidates), (0.0,) * len(candidates)
        )
        for query, candidates in requests
    }
    return lambda query, candidates: rankings[query.id]
