"""Bootstrap intervals by hand, and their draws."""

import numpy as np
import pytest
from scipy import stats

from resrank.evaluation import resampling
from resrank.evaluation.bootstrap import (
    interval_over_collections,
    interval_over_seeds,
    mean_intervals,
    percentile_intervals,
)
from resrank.evaluation.significance import randomisation_p


def test_an_interval_by_hand():
    # The mean of a resample of n zeros and n ones is binomial; BCa is symmetric here.
    values = np.array([[0.0] * 50 + [1.0] * 50, [0.25] * 100])
    (low, high), constant = mean_intervals(values).tolist()
    binomial = stats.binom(100, 0.5)
    assert low == pytest.approx(binomial.ppf(0.025) / 100, abs=0.011)
    assert high == pytest.approx(binomial.ppf(0.975) / 100, abs=0.011)
    assert constant == [0.25, 0.25]


def test_an_interval_over_collections_by_hand():
    values = np.array([0.0] * 50 + [1.0] * 50)
    low, high = interval_over_collections([values, np.full(7, 0.5)])
    # The second collection does not vary, and halves the share of the first.
    binomial = stats.binom(100, 0.5)
    assert low == pytest.approx((binomial.ppf(0.025) / 100 + 0.5) / 2, abs=0.011)
    assert high == pytest.approx((binomial.ppf(0.975) / 100 + 0.5) / 2, abs=0.011)


def test_intervals_of_percentiles_are_numpys_bootstrap():
    sample = np.random.default_rng(5).normal(size=37)
    drawn = np.random.default_rng(0).choice(sample, (2000, 37))
    bounds = np.percentile(np.percentile(drawn, (50, 95), axis=1), [2.5, 97.5], axis=1)
    assert percentile_intervals(sample, (50, 95), 2000) == pytest.approx(bounds.T)


def test_draws_do_not_depend_on_the_batch_size(monkeypatch):
    differences = np.random.default_rng(1).normal(0.02, 0.1, (3, 40))
    first = randomisation_p(differences), mean_intervals(differences)
    monkeypatch.setattr(resampling, "CELLS", 1)  # one resample at a time
    assert randomisation_p(differences) == pytest.approx(first[0])
    assert mean_intervals(differences) == pytest.approx(first[1])


def test_an_interval_over_queries_and_seeds_by_hand():
    rng = np.random.default_rng(3)
    other, steps = rng.uniform(size=(2, 400)), np.array([[0.0], [0.4]])
    # The same seeds cancel each other: the difference of both systems does not vary over seeds.
    low, high = interval_over_seeds(other + steps + 0.1, other + steps, paired=True)
    assert (low, high) == pytest.approx((0.1, 0.1))
    # Two seeds of a step of 0.4: a quarter of the draws has one of them twice.
    low, high = interval_over_seeds(np.zeros((2, 9)) + steps, np.zeros((1, 9)), paired=False)
    assert (low, high) == pytest.approx((0.0, 0.4))
    # One seed each: the interval over queries.
    one = other[:1]
    low, high = interval_over_seeds(one, np.zeros((1, 400)), paired=True)
    assert (low, high) == pytest.approx(mean_intervals(one)[0], abs=0.003)


def test_seeds_and_queries_together_vary_more_than_either():
    rng = np.random.default_rng(4)
    seeds, queries = rng.normal(size=(5, 1)), rng.normal(size=(1, 50))
    still = np.zeros((5, 50))
    widths = [
        np.diff(interval_over_seeds(still + effect, still, paired=True))[0]
        for effect in (seeds + queries, seeds + 0 * queries, 0 * seeds + queries)
    ]
    assert widths[0] == pytest.approx(np.hypot(widths[1], widths[2]), rel=0.1)
