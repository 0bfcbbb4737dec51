"""Reciprocal-rank fusion of first stages (Cormack et al., SIGIR 2009)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from resrank.io.candidates import RankedList


def fuse(stages: Sequence[Mapping[str, RankedList]], k: int, depth: int) -> dict[str, RankedList]:
    """Each query's passages by the sum of 1 / (k + rank) over the stages that list them.

    Ranks start at 1; equal sums are ordered by passage id.
    """
    fused: dict[str, RankedList] = {}
    for query_id in sorted({q for stage in stages for q in stage}):
        sums: dict[str, float] = defaultdict(float)
        for stage in stages:
            for rank, (passage_id, _) in enumerate(stage.get(query_id, []), start=1):
                sums[passage_id] += 1 / (k + rank)
        fused[query_id] = sorted(sums.items(), key=lambda item: (-item[1], item[0]))[:depth]
    return fused
