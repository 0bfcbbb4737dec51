"""Paired tests by hand, and compared with scipy's two-sample calls and ranx."""

import math

import numpy as np
import pytest
from ranx import Qrels, Run, compare
from scipy import stats

from resrank.evaluation.metrics import per_query
from resrank.evaluation.significance import (
    LEVEL,
    effect_size,
    holm,
    permutations,
    randomisation_p,
    t_test_p,
)

DIFFERENCES = np.array([[0.1, 0.2, 0.3]])


def test_the_randomisation_test_by_hand():
    # Of 8 sign patterns, only +++ and --- have a mean as far from 0 as 0.2.
    assert randomisation_p(DIFFERENCES) == pytest.approx([2 / 8])
    # With one or no difference other than 0, every pattern is equally far.
    assert randomisation_p(np.array([[0.3, 0.0, 0.0], [0.0, 0.0, 0.0]])) == pytest.approx([1, 1])
    assert randomisation_p(np.array([[0.3]])) == pytest.approx([1])


@pytest.mark.parametrize("tests", [1, 24, 25, 36, 250])
def test_a_large_family_draws_enough_patterns_to_reach_the_level(tests):
    """The least p of n random patterns is 2 / (n + 1); Holm multiplies it by the family's size."""
    least = tests * 2 / (permutations(tests) + 1)
    assert least <= 0.1 * LEVEL + 1e-12
    assert permutations(tests) >= 9_999


def test_the_least_p_of_random_patterns_stays_reachable_in_a_family():
    """All of 40 differences are positive: with 9,999 patterns, 300 tests would all end at 0.06."""
    differences = np.linspace(0.1, 0.2, 40)[None]
    assert randomisation_p(differences) == pytest.approx([2 / 10_000])
    p = randomisation_p(differences, family=300)
    assert p == pytest.approx([2 / 120_000])
    assert holm(p.repeat(300))[0] < LEVEL


def test_the_t_test_by_hand():
    t = 0.2 / (0.1 / math.sqrt(3))
    # Student's distribution with 2 degrees of freedom has a closed form.
    p = 1 - t / math.sqrt(2 + t * t)
    assert t_test_p(DIFFERENCES) == pytest.approx([p])
    assert t_test_p(np.zeros((1, 3))).tolist() == [1]


def test_holms_correction_by_hand():
    # 0.01 x 4, 0.02 x 3, then 0.03 x 2 and 0.04 x 1 raised to the value before.
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.6, 0.7])) == pytest.approx([1, 1])
    assert holm(np.array([])).size == 0


def test_the_effect_size_by_hand():
    assert effect_size(DIFFERENCES) == pytest.approx([0.2 / 0.1])
    constant = effect_size(np.array([[0.0, 0.0], [0.5, 0.5]]))
    assert constant[0] == 0
    assert math.isnan(constant[1])


def runs(queries=60, passages=20):
    """Return judgments and two rankings; the second ranks relevant passages a little higher."""
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
    qrels, rankings = runs()
    values = {
        name: np.array([v for _, _, v in per_query(["nDCG@10"], qrels, run)])
        for name, run in rankings.items()
    }
    differences = (values["one"] - values["two"])[None]
    t = stats.ttest_rel(values["one"], values["two"]).pvalue
    assert t_test_p(differences) == pytest.approx([t], rel=1e-9)
    theirs = {
        name: compare(
            Qrels(qrels),
            [Run(run, name=n) for n, run in rankings.items()],
            metrics=["ndcg@10"],
            stat_test=name,
            n_permutations=20_000,
        ).to_dict()["one"]["comparisons"]["two"]["ndcg@10"]
        for name in ("student", "fisher")
    }
    scores = {n: float(v.mean()) for n, v in values.items()}
    named = [Run(run, name=name) for name, run in rankings.items()]
    ranked = compare(Qrels(qrels), named, metrics=["ndcg@10"])
    for name in scores:
        assert ranked.results[name]["ndcg@10"] == pytest.approx(scores[name], abs=1e-9)
    assert t == pytest.approx(theirs["student"], rel=1e-6)
    # Two independent draws of signs, the smaller of 9,999, agree within four standard errors.
    p = float(randomisation_p(differences)[0])
    assert 0.0001 < p < 0.2
    assert p == pytest.approx(theirs["fisher"], abs=4 * math.sqrt(2 * p * (1 - p) / 9_999))
