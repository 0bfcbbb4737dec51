"""Bootstrap intervals over queries: of a mean, of a difference, of a mean over collections."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from resrank.evaluation.significance import NOISE, RESAMPLES, Values, batch, mean

CONFIDENCE = 0.95


def mean_intervals(values: Values) -> Values:
    """95% interval of each row's mean over queries; (rows, queries) -> (rows, 2).

    Bias-corrected and accelerated (Efron, 1987), by scipy; the draws are the same for every row
    and every run. A row of equal values has its mean twice; one whose resamples are too few to
    correct by has none (not a number).
    """
    from scipy.stats import bootstrap

    intervals = np.repeat(values.mean(axis=-1)[:, None], 2, axis=1)
    varied = np.ptp(values, axis=-1) > NOISE
    if varied.any():
        rows = values[varied]
        found = bootstrap(
            (rows,), mean, n_resamples=RESAMPLES, batch=batch(rows), vectorized=True, axis=-1,
            confidence_level=CONFIDENCE, rng=np.random.default_rng(0),
        )  # fmt: skip
        intervals[varied] = np.stack(found.confidence_interval, axis=-1)
    return intervals


def interval_over_collections(samples: Sequence[Values]) -> tuple[float, float]:
    """95% percentile interval of the mean of several collections' means.

    samples: (queries,) of each collection, which are resampled apart; every collection weighs the
    same, whatever its number of queries.
    """
    rng = np.random.default_rng(0)
    means = np.zeros(RESAMPLES)
    for values in samples:
        size = batch(values)
        for start in range(0, RESAMPLES, size):
            count = min(size, RESAMPLES - start)
            drawn = rng.integers(len(values), size=(count, len(values)))
            means[start : start + count] += values[drawn].mean(axis=-1) / len(samples)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
