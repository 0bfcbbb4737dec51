"""Paired tests between systems, by their differences query by query.

Which tests: Smucker, Allan and Carterette (CIKM 2007); why corrected: Carterette (TOIS 2012).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
RESAMPLES = 9_999
LEVEL = 0.05
NOISE = 1e-9  # values closer than this differ by rounding
CELLS = 4_000_000  # numbers held at once while resampling: 32 MB


def randomisation_p(differences: Values) -> Values:
    """Two-sided p of each row's mean under random signs; (pairs, queries) -> (pairs,).

    Fisher's randomisation test, by scipy: exact where there are fewer sign patterns than
    `RESAMPLES`, else by that many draws (the least p is then 1 / (`RESAMPLES` + 1)), the same ones
    for every pair and every run.
    """
    from scipy.stats import permutation_test

    if not len(differences) or differences.shape[-1] < 2:  # one query: both signs are as likely
        return np.ones(len(differences))
    found = permutation_test(
        (differences,), mean, permutation_type="samples", n_resamples=RESAMPLES, axis=-1,
        vectorized=True, batch=batch(differences), rng=np.random.default_rng(0),
    )  # fmt: skip
    return np.asarray(found.pvalue, dtype=np.float64)


def t_test_p(differences: Values) -> Values:
    """Two-sided p of the paired t-test, by scipy; (pairs, queries) -> (pairs,).

    1 where every difference is 0; not a number where all are alike otherwise, or there is one.
    """
    from scipy.stats import ttest_1samp

    p = np.where(np.ptp(differences, axis=-1) + np.abs(differences[:, 0]) < NOISE, 1.0, np.nan)
    varied = np.ptp(differences, axis=-1) > NOISE
    if varied.any():
        p[varied] = ttest_1samp(differences[varied], 0.0, axis=-1).pvalue
    return p


def holm(p: Values) -> Values:
    """Holm's step-down adjustment (1979) of one family's p values; (tests,) -> (tests,).

    The k-th smallest of m is multiplied by m - k + 1, and none falls below the one before it.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    factors = np.arange(len(p), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return adjusted


def effect_size(differences: Values) -> Values:
    """Cohen's d of paired differences, mean over standard deviation; (pairs, queries) -> (pairs,).

    0 where every difference is 0; not a number where all are alike otherwise, or there is one.
    """
    means = differences.mean(axis=-1)
    sizes = np.where(np.ptp(differences, axis=-1) + np.abs(means) < NOISE, 0.0, np.nan)
    varied = np.ptp(differences, axis=-1) > NOISE
    if varied.any():
        sizes[varied] = means[varied] / differences[varied].std(axis=-1, ddof=1)
    return sizes


def mean(values: Values, axis: int) -> Values:
    """The statistic that is resampled."""
    return np.asarray(values.mean(axis=axis))


def batch(values: Values) -> int:
    """How many resamples of these values are held at once."""
    return max(1, CELLS // max(1, values.size))
