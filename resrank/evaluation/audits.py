"""Counts that stand beside a score: what could make it wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from resrank.records import Qrels

Scored = Sequence[tuple[str, float]]


def lists_with_ties(lists: Iterable[Scored], cutoff: int) -> int:
    """Lists in which two of the first `cutoff` scores, or the one behind, are equal.

    Equal in single precision, as for trec_eval.
    """
    count = 0
    for found in lists:
        scores = np.sort(np.array([score for _, score in found], np.float32))[-cutoff - 1 :]
        count += bool((scores[1:] == scores[:-1]).any())
    return count


def short_lists(lists: Iterable[Scored], depth: int) -> int:
    """Lists of fewer than `depth` passages."""
    return sum(len(found) < depth for found in lists)


def unjudged_share(run: Mapping[str, Scored], qrels: Qrels, cutoff: int) -> float:
    """Share of the first `cutoff` passages, over all judged queries, that nobody judged."""
    seen = [p in qrels[q] for q, found in run.items() if q in qrels for p, _ in found[:cutoff]]
    return 1 - sum(seen) / len(seen) if seen else 0.0
