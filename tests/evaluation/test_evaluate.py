"""The evaluation of a single run."""

import pytest

from resrank.evaluation.evaluate import evaluate


def test_evaluation_reports_its_audits(tmp_path):
    (tmp_path / "q").write_text("1 0 a 1\n2 0 b 1\n")
    (tmp_path / "r").write_text("1 Q0 a 1 1 t\n1 Q0 b 2 1 t\n9 Q0 a 1 1 t\n")
    evaluation = evaluate(tmp_path / "q", tmp_path / "r", ["P@1"], 100)
    assert evaluation.to_dict() == {
        "metrics": {"P@1": 0.0},
        "judged_queries": 2,
        "missing_queries": 1,
        "unjudged_queries": 1,
        "queries_with_ties_in_first_10": 1,
        "lists_shorter_than_depth": 1,
        "depth": 100,
        # Query 2 is missing. In query 1, b ranks above a, except in the best order of the tie.
        "tie_bounds": {"P@1": {"worst": 0.0, "best": 0.5}},
        "judged_at_10": 0.25,
        "recall_at_depth": 0.5,
        "oracle_ndcg_at_10": 0.5,
    }
    assert "P@1, ties broken          0.0000 against the run, 0.5000 for it" in evaluation.to_text()
    (tmp_path / "r").write_text("9 Q0 a 1 1 t\n")
    with pytest.raises(ValueError, match="no query of .* is judged"):
        evaluate(tmp_path / "q", tmp_path / "r", ["P@1"])


def test_qrels_whose_passages_are_in_no_list_are_an_error(tmp_path):
    """The ids have two forms, as 12 and doc12: every metric would be 0."""
    (tmp_path / "q").write_text("1 0 12 1\n2 0 7 1\n")
    (tmp_path / "r").write_text("1 Q0 doc12 1 2 t\n1 Q0 7 2 1 t\n2 Q0 doc7 1 1 t\n")
    message = "no list of .* holds a passage .*query '1': the run has 'doc12', the qrels '12'"
    with pytest.raises(ValueError, match=message):
        evaluate(tmp_path / "q", tmp_path / "r", ["P@1"])
    (tmp_path / "r").write_text("1 Q0 doc12 1 2 t\n2 Q0 7 1 1 t\n")  # one passage is enough
    assert evaluate(tmp_path / "q", tmp_path / "r", ["P@1"]).metrics == {"P@1": 0.5}
