"""Published figures as data, and the verdict that a result gives on each.

`config/claims/*.yaml` holds one file per source. The verdicts are:
- `reproduced`: the result is within the claim's tolerance;
- `within noise`: it is not, but the published figure lies in the 95% interval of the measured one
  over queries;
- `not reproduced`;
- `not run`, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pydantic import Field, model_validator

from resrank.evaluation.bootstrap import interval_over_collections
from resrank.evaluation.resampling import Values
from resrank.options import Strict

ROUNDING = 1e-9  # so that a figure exactly at the edge of a tolerance counts as inside
VERDICTS = ["reproduced", "within noise", "not reproduced", "not run"]


class SuiteResult(Strict):
    """The result of a suite that answers a claim; names as in config/."""

    system: str = Field(description="The system.")
    collections: dict[str, int] = Field(
        min_length=1,
        description="Collection -> number of its judged queries. The figure is the mean over the "
        "collections. A result over another number of queries does not answer the claim.",
    )
    first_stage: str = Field("bm25", description="First stage whose candidates are reranked.")
    depth: int = Field(100, ge=1, description="Candidates per query.")


class Claim(Strict):
    """One published figure."""

    system: str = Field(description="The system's name in the source.")
    where: str = Field(description="Table, figure or file of the source.")
    conditions: str = Field(description="Conditions under which it was measured.")
    quantity: str = Field(
        "nDCG@10",
        description="A metric of the suite, or what a query consumes (a column of the usage: "
        "generated_tokens, embedding_slots ...).",
    )
    value: float = Field(description="The published figure; metrics from 0 to 1, times in seconds.")
    tolerance: float = Field(ge=0, description="Difference that still counts as reproduced.")
    tolerance_from: str = Field(description="Reason for the tolerance.")
    replicates: list[float] = Field(
        [], description="The source's repeated runs; their spread widens the tolerance."
    )
    results: list[SuiteResult] = Field(
        [], description="Results that answer the claim; the first one present is used."
    )
    not_run: str = Field("", description="Reason why no result of this project can answer it.")

    @model_validator(mode="after")
    def _answered_or_not(self) -> Claim:
        if bool(self.results) == bool(self.not_run):
            raise ValueError(
                "give either `results` that answer the claim, or `not_run` with the reason"
            )
        if len(self.replicates) == 1:
            raise ValueError("one replicate has no spread; give two or more, or none")
        return self


class Source(Strict):
    """A source and its figures."""

    source: str = Field(description="Paper or repository, with its version.")
    claims: dict[str, Claim] = Field(min_length=1, description="Claims by name.")


class Measured(NamedTuple):
    """A result's values: one array (seeds, queries) per collection."""

    by_collection: Sequence[Values]

    @property
    def by_seed(self) -> Values:
        """The mean over collections for each seed; (seeds,)."""
        means = np.array([values.mean(axis=-1) for values in self.by_collection])
        return np.asarray(means.mean(axis=0))


class Judgement(NamedTuple):
    """A verdict with the figures behind it; None where nothing was measured."""

    verdict: str
    measured: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    tolerance: float | None = None


def judge(claim: Claim, measured: Measured) -> Judgement:
    """Compare a result with a claim.

    The interval is of the difference over queries, with seeds averaged first.
    """
    value = float(measured.by_seed.mean())
    low, high = interval_over_collections([v.mean(axis=0) for v in measured.by_collection])
    allowed = tolerance(claim, measured.by_seed)
    difference = value - claim.value
    if abs(difference) <= allowed + ROUNDING:
        verdict = "reproduced"
    elif low <= claim.value <= high:
        verdict = "within noise"
    else:
        verdict = "not reproduced"
    return Judgement(verdict, value, difference, low - claim.value, high - claim.value, allowed)


def tolerance(claim: Claim, by_seed: Values) -> float:
    """Return the largest of the stated tolerance and the spreads of the source's and our runs."""
    return max(claim.tolerance, spread(claim.replicates), spread(by_seed))


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
