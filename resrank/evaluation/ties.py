"""What ties are worth: a run's score if every tie were broken for it, and against it.

A run whose best and worst order score alike needs no rule for ties; one with a gap reports, in
part, the rule (trec_eval's, by passage id; see McSherry and Najork, ECIR 2008).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from resrank.evaluation.metrics import averages, falling, has_ties, per_query
from resrank.records import Qrels

Run = Mapping[str, Mapping[str, float]]


class Bounds(NamedTuple):
    """A metric's mean under the worst and the best order of ties."""

    worst: float
    best: float


def tie_bounds(
    metrics: Sequence[str], qrels: Qrels, run: Run, relevant_grade: int = 1
) -> dict[str, Bounds]:
    """Each metric under the worst and the best order of the scores that tie in single precision.

    An unjudged passage counts as grade 0, as it does for every metric but Bpref.
    """
    worst, best = (
        averages(per_query(metrics, qrels, broken(run, qrels, sign), relevant_grade))
        for sign in (-1, 1)
    )
    return {name: Bounds(worst[name], best[name]) for name in best}


def broken(run: Run, qrels: Qrels, sign: int) -> dict[str, dict[str, float]]:
    """The run with every tie broken by grade: the higher first (sign 1), or the lower (-1).

    Of a run whose scores are all equal, sign 1 makes the oracle.
    """
    return {
        query_id: _broken(found, qrels[query_id], sign) if has_ties(found.values()) else dict(found)
        for query_id, found in run.items()
        if query_id in qrels
    }


def _broken(found: Mapping[str, float], grades: Mapping[str, int], sign: int) -> dict[str, float]:
    names = list(found)
    scores = np.array([found[p] for p in names], np.float32)
    gains = np.array([sign * grades.get(p, 0) for p in names])
    order = np.lexsort((-gains, -scores))
    return falling(names[place] for place in order)
