"""Metrics per query and their averages, and the ties that trec_eval breaks."""

import math

import pytest

from resrank.evaluation.audits import lists_with_ties
from resrank.evaluation.metrics import averages, parse_metric, per_query

QRELS = {"1": {"a": 2, "b": 1}, "2": {"c": 1}}


def test_a_query_missing_from_the_run_counts_zero():
    scores = per_query(["nDCG@10", "MRR@10"], QRELS, {"1": {"b": 2.0, "a": 1.0}})
    ndcg = (1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3))
    assert averages(scores) == pytest.approx({"nDCG@10": ndcg / 2, "MRR@10": 0.5})
    assert ("MRR@10", "2", 0.0) in scores


def test_binary_metrics_use_the_collections_grade_unless_they_name_one():
    run = {"1": {"b": 2.0, "a": 1.0}}
    qrels = {"1": QRELS["1"]}
    assert averages(per_query(["MRR@10", "RR(rel=1)@10"], qrels, run, 2)) == {
        "MRR@10": 0.5,
        "RR(rel=1)@10": 1.0,
    }


def test_grades_that_are_all_negative_count_as_not_relevant():
    # trec_eval ends the process on a query whose highest grade is below -1.
    qrels = {"1": {"a": -2, "b": -5}, "2": {"c": 1, "d": -2}}
    run = {"1": {"a": 1.0}, "2": {"d": 2.0, "c": 1.0}}
    scores = per_query(["nDCG@10", "RR", "Judged@10"], qrels, run)
    assert [value for _, query, value in scores if query == "1"] == [0.0, 0.0, 1.0]
    assert ("RR", "2", 0.5) in scores


def test_an_unknown_metric_lists_the_supported_ones():
    with pytest.raises(ValueError, match=r"unknown metric 'nope@3'.*nDCG"):
        parse_metric("nope@3")


@pytest.mark.parametrize("metric", ["MRR@10", "MRR", "P@1", "nDCG@1", "Recall@1", "AP"])
def test_every_metric_breaks_ties_as_trec_eval_does(metric):
    # The scores are equal in single precision, so ids decide, descending: b comes first.
    scores = per_query([metric], {"1": {"a": 1}}, {"1": {"a": 1.00000002, "b": 1.00000001}})
    assert scores[0][2] == (0.5 if metric in ("MRR@10", "MRR", "AP") else 0.0)
    assert lists_with_ties([[("a", 1.00000002), ("b", 1.00000001)]], 10) == 1


def test_ties_count_only_if_they_can_change_the_first_ranks():
    assert lists_with_ties([[("a", 2), ("b", 2)], [("a", 3), ("b", 2), ("c", 2)]], 1) == 1


@pytest.mark.parametrize("ids", [("1", "2"), ("PLAIN-2", "q 1"), ("日本", "-1")])
def test_err_for_queries_of_any_id(ids):
    """Grade 1 at rank r gives (2 - 1) / 16 / r, and a query without an answer 0."""
    first, second = ids
    qrels = {first: {"a": 0, "b": 1}, second: {"a": 1}}
    run = {first: {"a": 2.0, "b": 1.0}}
    values = per_query(["ERR@10", "nDCG@10"], qrels, run)
    errs = {q: value for name, q, value in values if name == "ERR@10"}
    assert errs == {first: pytest.approx(1 / 32, abs=1e-5), second: 0.0}
