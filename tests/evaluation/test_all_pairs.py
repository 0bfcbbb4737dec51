"""Statistics of all systems of a candidate set."""

import math

import numpy as np
import pytest

from resrank.evaluation.all_pairs import Families, corrected_together, statistics, within_seeds


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


def _rows(system, seed, values):
    return [(system, seed, f"q{n}", "m", value) for n, value in enumerate(values)]


def test_gains_by_hand_are_a_family_of_their_own():
    """Five queries: every difference has one sign, so p is 2 / 2**5 before correction."""
    before = [0.1, 0.2, 0.3, 0.4, 0.5]
    rows = [
        *_rows("trained", 1, [0.3, 0.5, 0.5, 0.7, 0.7]),
        *_rows("trained", 2, [0.3, 0.3, 0.7, 0.5, 0.9]),
        *_rows("other", 1, [0.2, 0.3, 0.5, 0.6, 0.6]),
        *_rows("self", 1, before),
        *_rows("self", 2, before),
        *_rows("bm25", 0, [0.2, 0.1, 0.2, 0.4, 0.6]),
    ]
    families = Families({"trained": "self", "other": "self", "elsewhere": "self"}, ["self"])
    result = statistics(rows, "m", families)
    gain, second = result["gains"]
    assert (gain["a"], gain["b"], second["a"]) == ("trained", "self", "other")
    # Seeds averaged: 0.3, 0.4, 0.6, 0.6, 0.8, so gains of 0.2, 0.2, 0.3, 0.2, 0.3.
    assert gain["difference"] == pytest.approx(0.24)
    assert gain["low"] >= 0.2 - 1e-9
    assert gain["high"] <= 0.3 + 1e-9
    assert gain["p_randomisation"] == pytest.approx(2 / 2**5)
    assert gain["p_holm"] == pytest.approx(2 * 2 / 2**5)  # two gains
    assert {(pair["a"], pair["b"]) for pair in result["pairs"]} == {
        ("trained", "other"), ("trained", "bm25"), ("other", "bm25"),
    }  # fmt: skip
    assert [row["companion"] for row in result["systems"]] == [False, False, True, False]


def test_companions_do_not_change_the_family_of_all_pairs():
    rng = np.random.default_rng(0)
    rows = [row for name in "abc" for row in _rows(name, 0, rng.normal(size=20))]
    alone = statistics(rows, "m")
    joined = statistics([*rows, *_rows("self", 0, rng.normal(size=20))], "m", Families({"a": "self"}, ["self"]))  # fmt: skip
    assert joined["pairs"] == alone["pairs"]
    assert joined["systems"][:3] == alone["systems"]


def test_a_gain_is_over_the_seeds_of_the_trained_system():
    """Both systems share an untrained self with a run per seed; seed 2 starts far higher."""
    rows = [
        *_rows("trained", 1, [0.5, 0.6, 0.9]),
        *_rows("other", 1, [0.5, 0.6, 0.9]),
        *_rows("other", 2, [0.9, 0.9, 0.9]),
        *_rows("self", 1, [0.3, 0.3, 0.6]),
        *_rows("self", 2, [0.8, 0.8, 0.8]),
        *_rows("only", 0, [0.1, 0.1, 0.1]),
    ]
    untrained = {"trained": "self", "other": "self"}
    gain, second = statistics(rows, "m", Families(untrained, ["self"]))["gains"]
    assert gain["difference"] == pytest.approx((0.2 + 0.3 + 0.3) / 3)
    assert second["difference"] == pytest.approx((0.8 / 3 + 0.3 / 3) / 2)
    (gain,) = statistics(rows, "m", Families({"other": "only"}))["gains"]  # has no other seed
    assert gain["difference"] == pytest.approx((2.0 / 3 + 0.9) / 2 - 0.1)


def test_an_ablation_by_hand_is_not_yet_corrected():
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    rows = [
        *(row for seed in (1, 2) for row in _rows("full", seed, values)),
        *(row for seed in (1, 2) for row in _rows("less", seed, values - 0.1 * seed)),
        *_rows("self", 0, np.zeros(5)),
    ]
    result = statistics(rows, "m", Families({"full": "self"}, ["self"], "full"))
    less, untrained = result["ablation"]
    assert (less["a"], less["b"], untrained["a"]) == ("less", "full", "self")
    assert less["difference"] == pytest.approx(-0.15)
    assert (less["low"], less["high"]) == pytest.approx((-0.15, -0.15))  # over queries alone
    assert (less["low_over_seeds"], less["high_over_seeds"]) == pytest.approx((-0.2, -0.1))
    assert less["p_randomisation"] == pytest.approx(2 / 2**5)
    assert "p_holm" not in less
    assert [test["p_holm"] for test in corrected_together([less, less])] == [4 / 2**5] * 2
    assert statistics(rows, "m")["ablation"] == []


def test_the_default_family_is_every_system_against_the_baseline_by_hand():
    """Five queries: p is 2 / 2**5 before correction; two comparisons, not three pairs."""
    base = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    rows = [
        *_rows("bm25", 0, base),
        *_rows("a", 0, base + 0.1),
        *_rows("b", 0, base - [0.1, 0.1, 0.1, 0.1, 0.2]),
        *_rows("self", 0, base),
    ]
    result = statistics(rows, "m", Families({}, ["self"], baseline="bm25"))
    assert [(test["a"], test["b"]) for test in result["pairs"]] == [("a", "bm25"), ("b", "bm25")]
    assert [test["difference"] for test in result["pairs"]] == pytest.approx([0.1, -0.12])
    assert [test["p_holm"] for test in result["pairs"]] == pytest.approx([4 / 2**5] * 2)
    assert result["baseline"] == "bm25"
    whole = statistics(rows, "m", Families({}, ["self"]))
    assert len(whole["pairs"]) == 3
    assert whole["pairs"][0]["p_holm"] == pytest.approx(6 / 2**5)
    with pytest.raises(ValueError, match="the baseline 'self' has no scores; scored: bm25, a, b"):
        statistics(rows, "m", Families({}, ["self"], baseline="self"))


def test_an_ablation_draws_for_its_whole_family():
    rows = [*_rows("full", 0, np.arange(20.0)), *_rows("less", 0, np.arange(20.0) - 1)]
    alone = statistics(rows, "m", Families(ablation="full", ablation_tests=1))
    of_many = statistics(rows, "m", Families(ablation="full", ablation_tests=300))
    assert alone["ablation"][0]["p_randomisation"] == pytest.approx(2 / 10_000)
    assert of_many["ablation"][0]["p_randomisation"] == pytest.approx(2 / 120_000)
    assert of_many["permutations"] == {"pairs": 9_999, "gains": 9_999, "ablation": 119_999}
