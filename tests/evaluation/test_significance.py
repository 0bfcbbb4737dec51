"""Each statistic by hand, and held against scipy's two-sample calls and ranx's own tests."""

import math

import numpy as np
import pytest
from ranx import Qrels, Run, compare
from scipy import stats

from resrank.evaluation import significance
from resrank.evaluation.all_pairs import statistics, within_seeds
from resrank.evaluation.intervals import interval_over_collections, mean_intervals
from resrank.evaluation.metrics import per_query
from resrank.evaluation.significance import effect_size, holm, randomisation_p, t_test_p

DIFFERENCES = np.array([[0.1, 0.2, 0.3]])


def test_the_randomisation_test_by_hand():
    # 8 sign patterns; only +++ and --- have a mean as far from 0 as 0.2.
    assert randomisation_p(DIFFERENCES) == pytest.approx([2 / 8])
    # With one difference that is not 0, every pattern is as far; so it is with none.
    assert randomisation_p(np.array([[0.3, 0.0, 0.0], [0.0, 0.0, 0.0]])) == pytest.approx([1, 1])
    assert randomisation_p(np.array([[0.3]])) == pytest.approx([1])


def test_the_t_test_by_hand():
    t = 0.2 / (0.1 / math.sqrt(3))
    # Student's distribution with 2 degrees of freedom has a closed form.
    p = 1 - t / math.sqrt(2 + t * t)
    assert t_test_p(DIFFERENCES) == pytest.approx([p])
    assert t_test_p(np.zeros((1, 3))).tolist() == [1]


def test_holms_adjustment_by_hand():
    # 0.01 x 4, 0.02 x 3, 0.03 x 2 lifted to the one before, 0.04 x 1 likewise.
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.6, 0.7])) == pytest.approx([1, 1])
    assert holm(np.array([])).size == 0


def test_the_effect_size_by_hand():
    assert effect_size(DIFFERENCES) == pytest.approx([0.2 / 0.1])
    found = effect_size(np.array([[0.0, 0.0], [0.5, 0.5]]))
    assert found[0] == 0
    assert math.isnan(found[1])


def test_an_interval_by_hand():
    # Means of resamples of n zeros and n ones are binomial; BCa is symmetric here.
    values = np.array([[0.0] * 50 + [1.0] * 50, [0.25] * 100])
    (low, high), constant = mean_intervals(values).tolist()
    binomial = stats.binom(100, 0.5)
    assert low == pytest.approx(binomial.ppf(0.025) / 100, abs=0.011)
    assert high == pytest.approx(binomial.ppf(0.975) / 100, abs=0.011)
    assert constant == [0.25, 0.25]


def test_an_interval_over_collections_by_hand():
    values = np.array([0.0] * 50 + [1.0] * 50)
    low, high = interval_over_collections([values, np.full(7, 0.5)])
    # The second collection never varies, and halves the first one's part.
    binomial = stats.binom(100, 0.5)
    assert low == pytest.approx((binomial.ppf(0.025) / 100 + 0.5) / 2, abs=0.011)
    assert high == pytest.approx((binomial.ppf(0.975) / 100 + 0.5) / 2, abs=0.011)


def test_seeds_by_hand():
    one, other = np.array([[0.5, 0.7], [0.4, 0.6]]), np.array([[0.55, 0.6]])
    # Means 0.6 and 0.5 (range 0.1) against 0.575: a difference of 0.025.
    assert within_seeds(one, other) is True
    assert within_seeds(one, other + 0.2) is False
    assert within_seeds(other, other) is None
    rows = [("a", 1, "q", "m", 0.5), ("a", 2, "q", "m", 0.7), ("b", 0, "q", "m", 0.1)]
    found = statistics([*rows, ("a", 1, "q", "other", 9.0)], "m")
    a, b = found["systems"]
    assert (a["mean"], a["min"], a["max"]) == pytest.approx((0.6, 0.5, 0.7))
    assert a["sd"] == pytest.approx(0.1 * math.sqrt(2))
    assert (b["seeds"], b["sd"]) == (1, None)
    (pair,) = found["pairs"]
    assert pair["difference"] == pytest.approx(0.5)
    assert (pair["p_t"], pair["effect_size"]) == (None, None)


def runs(queries=60, passages=20):
    """Judgments, and two rankings of which the second puts relevant passages a little higher."""
    rng = np.random.default_rng(3)
    qrels = {
        f"q{i}": {f"p{j}": int(g) for j, g in enumerate(rng.integers(0, 3, passages))}
        for i in range(queries)
    }
    noise = {
        name: {
            q: {p: gain * g + rng.normal() for p, g in grades.items()}
            for q, grades in qrels.items()
        }
        for name, gain in (("one", 0.1), ("two", 0.35))
    }
    return qrels, noise


def test_scipy_and_ranx_agree_on_the_same_runs():
    qrels, found = runs()
    values = {
        name: np.array([v for _, _, v in per_query(["nDCG@10"], qrels, run)])
        for name, run in found.items()
    }
    differences = (values["one"] - values["two"])[None]
    t = stats.ttest_rel(values["one"], values["two"]).pvalue
    assert t_test_p(differences) == pytest.approx([t], rel=1e-9)
    theirs = {
        name: compare(
            Qrels(qrels), [Run(run, name=n) for n, run in found.items()], metrics=["ndcg@10"],
            stat_test=name, n_permutations=20_000,
        ).to_dict()["one"]["comparisons"]["two"]["ndcg@10"]
        for name in ("student", "fisher")
    }  # fmt: skip
    scores = {n: float(v.mean()) for n, v in values.items()}
    ranked = compare(Qrels(qrels), [Run(r, name=n) for n, r in found.items()], metrics=["ndcg@10"])
    for name in scores:
        assert ranked.results[name]["ndcg@10"] == pytest.approx(scores[name], abs=1e-9)
    assert t == pytest.approx(theirs["student"], rel=1e-6)
    # Two independent draws of signs, 9,999 the smaller: within four standard errors.
    p = float(randomisation_p(differences)[0])
    assert 0.0001 < p < 0.2
    assert p == pytest.approx(theirs["fisher"], abs=4 * math.sqrt(2 * p * (1 - p) / 9_999))


def test_draws_are_the_same_in_every_run_and_for_every_batch(monkeypatch):
    differences = np.random.default_rng(1).normal(0.02, 0.1, (3, 40))
    first = randomisation_p(differences), mean_intervals(differences)
    monkeypatch.setattr(significance, "CELLS", 1)  # one resample at a time
    assert randomisation_p(differences) == pytest.approx(first[0])
    assert mean_intervals(differences) == pytest.approx(first[1])
