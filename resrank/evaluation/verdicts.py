"""The verdict that a result gives on a published figure.

- `reproduced`: the difference is within the claim's tolerance;
- `differs`;
- `not comparable`, with the reason: the result has other candidates, queries or another prompt, or
  too few queries to tell;
- `not run`, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from resrank.evaluation.bootstrap import interval_over_collections, mean_intervals
from resrank.evaluation.claims import Claim
from resrank.evaluation.resampling import Values

ROUNDING = 1e-9  # so that a figure exactly at the edge of a tolerance counts as inside
VERDICTS = ["reproduced", "differs", "not comparable", "not run"]


class Measured(NamedTuple):
    """A result's values on each collection, over the claim's queries.

    by_collection: one array (seeds, queries) per collection. published: the values of the source's
    own run on the same queries of the one collection, (queries,), if it is at hand.
    judged: all judged queries, over all collections. with_candidates: those with candidates.
    other_mean: the mean over the other denominator; None if the two are the same, or for a count.
    """

    by_collection: Sequence[Values]
    published: Values | None = None
    judged: int = 0
    with_candidates: int = 0
    other_mean: float | None = None

    @property
    def by_seed(self) -> Values:
        """The mean over collections for each seed; (seeds,)."""
        means = np.array([values.mean(axis=-1) for values in self.by_collection])
        return np.asarray(means.mean(axis=0))


class Judgement(NamedTuple):
    """A verdict with the figures behind it; None where nothing was measured.

    low, high: 95% bootstrap interval of the difference over queries, paired if the source's run is
    at hand. other_denominator: the measured mean over the queries that the claim does not count by.
    """

    verdict: str
    measured: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    tolerance: float | None = None
    paired: bool | None = None
    queries: str | None = None
    other_denominator: float | None = None


def judge(claim: Claim, measured: Measured) -> Judgement:
    """Compare a result with a claim.

    Reproduced is a mean difference within the tolerance, which both sides' queries share. Beyond it
    the result differs. With the source's run at hand it differs only if the paired interval leaves
    out 0; else the queries are too few to tell.
    """
    value = float(measured.by_seed.mean())
    difference = value - claim.value
    low, high = _interval(claim, measured)
    allowed = tolerance(claim, measured.by_seed)
    paired = measured.published is not None
    if abs(difference) <= allowed + ROUNDING:
        verdict = "reproduced"
    elif paired and low <= 0 <= high:
        count = measured.by_collection[0].shape[-1]
        verdict = f"not comparable ({count} queries are too few: from {low:+.4f} to {high:+.4f})"
    else:
        verdict = "differs"
    queries = _denominator(claim, measured)
    return Judgement(
        verdict, value, difference, low, high, allowed, paired, queries, measured.other_mean
    )


def _interval(claim: Claim, measured: Measured) -> tuple[float, float]:
    """Return the interval of the difference over queries, with seeds averaged first."""
    means = [values.mean(axis=0) for values in measured.by_collection]
    if measured.published is not None:
        low, high = mean_intervals((means[0] - measured.published)[None])[0]
        return float(low), float(high)
    low, high = interval_over_collections(means)
    return low - claim.value, high - claim.value


def _denominator(claim: Claim, measured: Measured) -> str | None:
    """Return the number of queries that the mean is over: "308 of 323 judged"."""
    if not measured.judged:
        return None
    counted = measured.judged if claim.over == "judged" else measured.with_candidates
    return f"{counted} of {measured.judged} judged"


def tolerance(claim: Claim, by_seed: Values) -> float:
    """Return the largest of the stated tolerance and the spreads of the source's and our runs.

    Ours counts up to the claim's cap: an unstable system is not the easier to reproduce.
    """
    ours = min(spread(by_seed), claim.seed_cap)
    return max(claim.tolerance, spread(claim.replicates), ours)


def spread(runs: Sequence[float] | Values) -> float:
    """Return how far one more run may lie from these runs' mean (95%, Student); 0 for one run."""
    from scipy.stats import t

    count = len(runs)
    if count < 2:
        return 0.0
    quantile = float(t.ppf(0.975, count - 1))
    return quantile * float(np.std(runs, ddof=1)) * math.sqrt(1 + 1 / count)


def counts(verdicts: Sequence[str]) -> Mapping[str, int]:
    """Count the claims with each verdict, reasons left out."""
    kinds = [verdict.partition(" (")[0] for verdict in verdicts]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds), key=VERDICTS.index)}
