"""Counts that are reported beside a score, because they show what could make it wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from resrank.records import Qrels

ScoredList = Sequence[tuple[str, float]]
"""(passage id, score), best first."""


def lists_with_ties(lists: Iterable[ScoredList], cutoff: int) -> int:
    """Count lists in which two of the first `cutoff` + 1 scores are equal.

    The score after the cutoff counts because a tie with it changes which passages are counted.
    Scores are compared in single precision, as trec_eval does.
    """
    count = 0
    for scored in lists:
        scores = np.sort(np.array([score for _, score in scored], np.float32))[-cutoff - 1 :]
        count += bool((scores[1:] == scores[:-1]).any())
    return count


def short_lists(lists: Iterable[ScoredList], depth: int) -> int:
    """Count lists of fewer than `depth` passages."""
    return sum(len(scored) < depth for scored in lists)


def unjudged_share(run: Mapping[str, ScoredList], qrels: Qrels, cutoff: int) -> float:
    """Return the share of the first `cutoff` passages, over all judged queries, without a grade."""
    judged = [p in qrels[q] for q, top in run.items() if q in qrels for p, _ in top[:cutoff]]
    return 1 - sum(judged) / len(judged) if judged else 0.0
