"""The best and the worst order of ties, compared with every possible order."""

from itertools import permutations

import numpy as np
import pytest

from resrank.evaluation.metrics import averages, per_query
from resrank.evaluation.score import _usage_counts
from resrank.evaluation.ties import tie_bounds
from resrank.io.parquet import read_columns, write_table
from resrank.io.run import USAGE, tied_scores, usage_of, write_run, write_usage
from resrank.records import Ranking

METRICS = ["nDCG@3", "MRR@3", "P@2", "AP", "Recall@3"]
QRELS = {"q": {"a": 2, "b": 0, "c": 1, "e": 1}}
RUN = {"q": {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0 + 1e-9, "e": 0.5}}


def test_the_bounds_are_the_least_and_largest_score_over_all_orders():
    by_order = []
    for order in permutations("abcd"):
        run = {"q": {p: 9.0 - rank for rank, p in enumerate([*order, "e"])}}
        by_order.append(averages(per_query(METRICS, QRELS, run)))
    for name, (worst, best) in tie_bounds(METRICS, QRELS, RUN).items():
        values = [scores[name] for scores in by_order]
        assert (worst, best) == pytest.approx((min(values), max(values))), name


def test_without_ties_the_bounds_are_equal():
    run = {"q": {p: float(rank) for rank, p in enumerate("ebcda")}}
    scores = averages(per_query(METRICS, QRELS, run))
    for name, bounds in tie_bounds(METRICS, QRELS, run).items():
        assert bounds == pytest.approx((scores[name], scores[name]))


def test_the_best_order_of_constant_scores_is_the_oracle():
    constant = {"q": dict.fromkeys(RUN["q"], 0.0)}
    perfect = {"q": {"a": 9.0, "c": 8.0, "e": 7.0, "b": 6.0, "d": 5.0}}
    best = tie_bounds(["nDCG@3"], QRELS, constant)["nDCG@3"].best
    assert best == averages(per_query(["nDCG@3"], QRELS, perfect))["nDCG@3"] == 1


def test_a_query_missing_from_the_run_counts_0_in_both_orders():
    qrels = QRELS | {"missing": {"a": 1}}
    bounds = tie_bounds(["MRR@3"], qrels, RUN)["MRR@3"]
    assert bounds == pytest.approx((np.mean([1 / 3, 0]), np.mean([1, 0])))


def test_equal_scores_are_counted_where_they_arise(tmp_path):
    """The run itself, written as n..1, has no tie."""
    assert tied_scores([0.9, 0.5, 0.5, 0.1, 0.1, 0.1]) == 5
    assert tied_scores([0.9, 0.5]) == 0
    assert tied_scores([3.0, 2.0, 1.0]) is None  # an order without scores
    run = tmp_path / "seed0.trec"
    rankings = [
        Ranking("q1", ("a", "b", "c"), (0.5, 0.5, 0.1)),
        Ranking("q2", ("a", "b"), (2.0, 1.0)),
    ]
    write_run(run, rankings, "t")
    write_usage(usage_of(run), rankings)
    assert _usage_counts(run)["tied_scores"] == 2
    write_usage(usage_of(run), rankings[1:])
    assert _usage_counts(run)["tied_scores"] is None
    earlier = read_columns(usage_of(run), USAGE.names)  # a run of an earlier version
    write_table(usage_of(run), earlier)
    assert _usage_counts(run)["tied_scores"] is None
