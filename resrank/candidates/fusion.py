"""Reciprocal-rank fusion of first stages (Cormack et al., SIGIR 2009)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from resrank.candidates.reciprocal_rank import fused_scores
from resrank.io.candidates import RankedList


def fuse(stages: Sequence[Mapping[str, RankedList]], k: int, depth: int) -> dict[str, RankedList]:
    """Each query's passages by the sum of 1 / (k + rank) over the stages that list them.

    Ranks start at 1; equal sums are ordered by passage id.
    """
    fused: dict[str, RankedList] = {}
    for query_id in sorted({q for stage in stages for q in stage}):
        listed = ([passage_id for passage_id, _ in s.get(query_id, [])] for s in stages)
        sums = fused_scores(listed, k)
        fused[query_id] = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:depth]
    return fused
