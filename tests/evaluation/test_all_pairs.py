"""Statistics of all systems of a candidate set."""

import math

import numpy as np
import pytest

from resrank.evaluation.all_pairs import statistics, within_seeds


def test_spreads_over_seeds_by_hand():
    one, other = np.array([[0.5, 0.7], [0.4, 0.6]]), np.array([[0.55, 0.6]])
    # Means 0.6 and 0.5 (range 0.1) against 0.575 give a difference of 0.025.
    assert within_seeds(one, other) is True
    assert within_seeds(one, other + 0.2) is False
    assert within_seeds(other, other) is None
    rows = [("a", 1, "q", "m", 0.5), ("a", 2, "q", "m", 0.7), ("b", 0, "q", "m", 0.1)]
    result = statistics([*rows, ("a", 1, "q", "other", 9.0)], "m")
    a, b = result["systems"]
    assert (a["mean"], a["min"], a["max"]) == pytest.approx((0.6, 0.5, 0.7))
    assert a["sd"] == pytest.approx(0.1 * math.sqrt(2))
    assert (b["seeds"], b["sd"]) == (1, None)
    (pair,) = result["pairs"]
    assert pair["difference"] == pytest.approx(0.5)
    assert (pair["p_t"], pair["effect_size"]) == (None, None)
