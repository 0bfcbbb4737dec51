"""Effect of ties: a run's score if every tie were broken in its favour, and against it.

A run whose worst and best order score the same needs no rule for ties. A run with a gap partly
measures the rule (trec_eval's, by passage id; see McSherry and Najork, ECIR 2008).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from resrank.evaluation.metrics import averages, falling, has_ties, per_query
from resrank.records import Qrels

RunScores = Mapping[str, Mapping[str, float]]
"""Query id -> passage id -> score."""


class Bounds(NamedTuple):
    """A metric's mean under the worst and the best order of ties."""

    worst: float
    best: float


def tie_bounds(
    metrics: Sequence[str], qrels: Qrels, run: RunScores, relevant_grade: int = 1
) -> dict[str, Bounds]:
    """Return each metric under the worst and the best order of scores that tie.

    Ties are in single precision. An unjudged passage counts as grade 0, as it does for every metric
    except Bpref.
    """
    worst, best = (
        averages(per_query(metrics, qrels, broken(run, qrels, sign), relevant_grade))
        for sign in (-1, 1)
    )
    return {name: Bounds(worst[name], best[name]) for name in best}


def broken(run: RunScores, qrels: Qrels, sign: int) -> dict[str, dict[str, float]]:
    """Return the run with every tie broken by grade: higher first (sign 1) or lower first (-1).

    With sign 1, a run whose scores are all equal becomes the oracle.
    """
    return {
        query_id: _broken(scores, qrels[query_id], sign)
        if has_ties(scores.values())
        else dict(scores)
        for query_id, scores in run.items()
        if query_id in qrels
    }


def _broken(scores: Mapping[str, float], grades: Mapping[str, int], sign: int) -> dict[str, float]:
    passage_ids = list(scores)
    values = np.array([scores[p] for p in passage_ids], np.float32)
    gains = np.array([sign * grades.get(p, 0) for p in passage_ids])
    order = np.lexsort((-gains, -values))
    return falling(passage_ids[place] for place in order)
