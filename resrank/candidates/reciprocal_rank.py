"""Reciprocal-rank fusion of rankings (Cormack et al., SIGIR 2009)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable


def fused_scores(rankings: Iterable[Iterable[str]], k: int) -> dict[str, float]:
    """Return each passage's sum of 1 / (k + rank) over the rankings that list it.

    rankings: passage ids, best first. Ranks start at 1.
    """
    sums: dict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, passage_id in enumerate(ranking, start=1):
            sums[passage_id] += 1 / (k + rank)
    return sums
