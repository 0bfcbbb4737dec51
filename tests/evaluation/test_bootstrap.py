"""Bootstrap intervals by hand, and their draws."""

import numpy as np
import pytest
from scipy import stats

from resrank.evaluation import resampling
from resrank.evaluation.bootstrap import (
    interval_over_collections,
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
