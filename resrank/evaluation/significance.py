"""Paired tests between systems on their differences per query, and Holm's correction.

Choice of tests: Smucker, Allan and Carterette (CIKM 2007). Reason for the correction: Carterette
(TOIS 2012).
"""

from __future__ import annotations

import math

import numpy as np

from resrank.evaluation.resampling import NOISE, RESAMPLES, Values, batch_size, mean_over

LEVEL = 0.05
FINEST = 0.1  # share of LEVEL that the least corrected p of a family may not exceed


def permutations(tests: int) -> int:
    """Return how many sign patterns the tests of a family draw, at least `RESAMPLES`.

    The least two-sided p of n patterns is 2 / (n + 1), and Holm's correction multiplies it by the
    number of tests. More tests draw more patterns, so that the least corrected p stays below
    `FINEST` times `LEVEL`.
    """
    return max(RESAMPLES, math.ceil(2 * tests / (FINEST * LEVEL)) - 1)


def randomisation_p(differences: Values, family: int | None = None) -> Values:
    """Return the two-sided p of each row's mean under random signs; (pairs, queries) -> (pairs,).

    Fisher's randomisation test, computed by scipy. family: number of tests that are corrected
    together, by default those given. The test is exact where there are no more sign patterns than
    `permutations` of the family. Otherwise it draws that many patterns, the same ones for every
    pair and every run.
    """
    from scipy.stats import permutation_test

    if not len(differences) or differences.shape[-1] < 2:  # one query: both signs are as likely
        return np.ones(len(differences))
    result = permutation_test(
        (differences,),
        mean_over,
        permutation_type="samples",
        n_resamples=permutations(len(differences) if family is None else family),
        axis=-1,
        vectorized=True,
        batch=batch_size(differences),
        rng=np.random.default_rng(0),
    )
    return np.asarray(result.pvalue, dtype=np.float64)


def t_test_p(differences: Values) -> Values:
    """Return the two-sided p of the paired t-test, by scipy; (pairs, queries) -> (pairs,).

    1 if every difference is 0. Not a number if the differences are equal but not 0, or if there is
    only one.
    """
    from scipy.stats import ttest_1samp

    p = np.where(np.ptp(differences, axis=-1) + np.abs(differences[:, 0]) < NOISE, 1.0, np.nan)
    varied = np.ptp(differences, axis=-1) > NOISE
    if varied.any():
        p[varied] = ttest_1samp(differences[varied], 0.0, axis=-1).pvalue
    return p


def holm(p: Values) -> Values:
    """Return Holm's step-down adjustment (1979) of one family's p values; (tests,) -> (tests,).

    The k-th smallest of m values is multiplied by m - k + 1. No adjusted value is smaller than the
    one before it.
    """
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    factors = np.arange(len(p), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return adjusted


def effect_size(differences: Values) -> Values:
    """Return Cohen's d of paired differences, mean over standard deviation.

    (pairs, queries) -> (pairs,). 0 if every difference is 0. Not a number if the differences are
    equal but not 0, or if there is only one.
    """
    means = differences.mean(axis=-1)
    sizes = np.where(np.ptp(differences, axis=-1) + np.abs(means) < NOISE, 0.0, np.nan)
    varied = np.ptp(differences, axis=-1) > NOISE
    if varied.any():
        sizes[varied] = means[varied] / differences[varied].std(axis=-1, ddof=1)
    return sizes
