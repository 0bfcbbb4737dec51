"""The leak audit by hand."""

import math

import pytest

from resrank.evaluation.leak import audit, training_positives
from resrank.records import Candidate, Passage


def test_leak_audit_by_hand():
    passages = {i: Passage(i, f"text {i}") for i in "abcd"}
    trained = {"t1": {"a": 1}, "t2": {"a": 1, "d": 0}}
    seen = training_positives(trained, passages, 1)
    assert seen == {"text a": 2}
    qrels = {"1": {"a": 1}, "2": {"c": 1}}
    lists = {q: [Candidate(passages[i], 0.0) for i in "bca"] for q in qrels}
    run = {q: {"b": 3.0, "c": 2.0, "a": 1.0} for q in qrels}
    result = audit(run, qrels, lists, passages, seen, 1)
    second, third = 1 / math.log2(3), 1 / math.log2(4)
    assert result["overlap"] == 0.5
    assert result["queries_without_overlap"] == 1
    assert result["score_without_overlap"] == pytest.approx(second)
    assert result["first_stage_score"] == pytest.approx((second + third) / 2)
    # a comes first, then b and c in first-stage order.
    assert result["prior_over_first_stage"] == pytest.approx((1 + third) / 2)
