import math

import pytest

from resrank.evaluation.audits import lists_with_ties
from resrank.evaluation.evaluate import evaluate
from resrank.evaluation.leak import audit, training_positives
from resrank.evaluation.metrics import averages, parse_metric, per_query
from resrank.records import Candidate, Passage

QRELS = {"1": {"a": 2, "b": 1}, "2": {"c": 1}}


def test_a_query_that_the_run_lacks_counts_zero():
    scores = per_query(["nDCG@10", "MRR@10"], QRELS, {"1": {"b": 2.0, "a": 1.0}})
    ndcg = (1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3))
    assert averages(scores) == pytest.approx({"nDCG@10": ndcg / 2, "MRR@10": 0.5})
    assert ("MRR@10", "2", 0.0) in scores


def test_binary_metrics_take_the_collections_grade_unless_they_name_their_own():
    run = {"1": {"b": 2.0, "a": 1.0}}
    qrels = {"1": QRELS["1"]}
    assert averages(per_query(["MRR@10", "RR(rel=1)@10"], qrels, run, 2)) == {
        "MRR@10": 0.5, "RR(rel=1)@10": 1.0,
    }  # fmt: skip


def test_grades_that_are_all_negative_count_as_not_relevant():
    # trec_eval ends the process at a query whose highest grade is below -1.
    qrels = {"1": {"a": -2, "b": -5}, "2": {"c": 1, "d": -2}}
    run = {"1": {"a": 1.0}, "2": {"d": 2.0, "c": 1.0}}
    scores = per_query(["nDCG@10", "RR", "Judged@10"], qrels, run)
    assert [value for _, query, value in scores if query == "1"] == [0.0, 0.0, 1.0]
    assert ("RR", "2", 0.5) in scores


def test_unknown_metric_lists_the_known():
    with pytest.raises(ValueError, match=r"unknown metric 'nope@3'.*nDCG"):
        parse_metric("nope@3")


@pytest.mark.parametrize("metric", ["MRR@10", "MRR", "P@1", "nDCG@1", "Recall@1", "AP"])
def test_every_metric_breaks_ties_as_trec_eval_does(metric):
    # By id, descending, of scores in single precision: b stands first, though a's is higher.
    scores = per_query([metric], {"1": {"a": 1}}, {"1": {"a": 1.00000002, "b": 1.00000001}})
    assert scores[0][2] == (0.5 if metric in ("MRR@10", "MRR", "AP") else 0.0)
    assert lists_with_ties([[("a", 1.00000002), ("b", 1.00000001)]], 10) == 1


def test_ties_count_only_where_they_can_change_the_first_ranks():
    assert lists_with_ties([[("a", 2), ("b", 2)], [("a", 3), ("b", 2), ("c", 2)]], 1) == 1


def test_evaluation_prints_its_audits(tmp_path):
    (tmp_path / "q").write_text("1 0 a 1\n2 0 b 1\n")
    (tmp_path / "r").write_text("1 Q0 a 1 1 t\n1 Q0 b 2 1 t\n9 Q0 a 1 1 t\n")
    found = evaluate(tmp_path / "q", tmp_path / "r", ["P@1"], 100)
    assert found.to_dict() == {
        "metrics": {"P@1": 0.0}, "judged_queries": 2, "missing_queries": 1, "unjudged_queries": 1,
        "queries_with_ties_in_first_10": 1, "lists_shorter_than_depth": 1, "depth": 100,
        # Query 2 is missing. Of query 1, b stands before a, but for the best order of the tie.
        "tie_bounds": {"P@1": {"worst": 0.0, "best": 0.5}},
        "judged_at_10": 0.25, "recall_at_depth": 0.5, "oracle_ndcg_at_10": 0.5,
    }  # fmt: skip
    assert "P@1, ties broken          0.0000 against the run, 0.5000 for it" in found.to_text()
    (tmp_path / "r").write_text("9 Q0 a 1 1 t\n")
    with pytest.raises(ValueError, match="no query of .* is judged"):
        evaluate(tmp_path / "q", tmp_path / "r", ["P@1"])


def test_leak_audit_by_hand():
    passages = {i: Passage(i, f"text {i}") for i in "abcd"}
    trained = {"t1": {"a": 1}, "t2": {"a": 1, "d": 0}}
    seen = training_positives(trained, passages, 1)
    assert seen == {"text a": 2}
    qrels = {"1": {"a": 1}, "2": {"c": 1}}
    lists = {q: [Candidate(passages[i], 0.0) for i in "bca"] for q in qrels}
    run = {q: {"b": 3.0, "c": 2.0, "a": 1.0} for q in qrels}
    found = audit(run, qrels, lists, passages, seen, 1)
    second, third = 1 / math.log2(3), 1 / math.log2(4)
    assert found["overlap"] == 0.5
    assert found["queries_without_overlap"] == 1
    assert found["score_without_overlap"] == pytest.approx(second)
    assert found["first_stage_score"] == pytest.approx((second + third) / 2)
    # a first, then b, c in first-stage order
    assert found["prior_over_first_stage"] == pytest.approx((1 + third) / 2)
