"""The tables `effectiveness`, `modes` and `first_stages` on hand-made rows."""

import pandas as pd
import pytest

from resrank.reporting.tables.effectiveness import write_effectiveness
from resrank.reporting.tables.first_stages import before_and_after
from resrank.reporting.tables.means import with_means
from resrank.reporting.tables.modes import mode_of, modes
from resrank.suite.load import load_suite
from tests.reporting.tables.test_means import frame, suite


def test_systems_by_collections_with_the_mean_at_the_end(tmp_path):
    resolved = suite(tmp_path, ["a", "gone", "b"])
    rows = frame(resolved, [(0.2, 0.4), (0.3, 0.8)])
    rows["mark"] = ["↓", "", "↓", ""]
    write_effectiveness(resolved, tmp_path, with_means(resolved, rows), "Note.", "Arrows.")
    table = pd.read_csv(tmp_path / "tables" / "effectiveness.csv").set_index("system")
    assert table.loc["bi_encoder", "nDCG@10 mean of 2 of 3"] == pytest.approx(0.6)
    lines = (tmp_path / "tables" / "effectiveness.md").read_text().splitlines()
    assert lines[0] == "| system | a | b | mean of 2 of 3 | seeds |"
    assert lines[2] == "| First stage | 0.2000 ↓ | 0.3000 ↓ | 0.2500 | 1 |"
    assert lines[3].endswith("| **0.4000** | **0.8000** | **0.6000** | 1 |")


def test_first_stages_are_groups_if_a_collection_has_several(tmp_path):
    resolved = suite(tmp_path, ["a"], first_stages=["bm25", "dense"])
    rows = frame(resolved, [(0.2, 0.4), (0.3, 0.8)])
    write_effectiveness(resolved, tmp_path, rows, "Note.", "")
    table = pd.read_csv(tmp_path / "tables" / "effectiveness.csv")
    assert table["first_stage"].tolist() == ["bm25", "bm25", "dense", "dense"]
    assert table["nDCG@10 a"].tolist() == [0.2, 0.4, 0.3, 0.8]


def test_a_model_in_two_modes_is_compared_with_itself():
    systems = ["bm25", "resrank_joint_window", "resrank_joint", "rank_zephyr"]
    resolved = load_suite({"name": "s", "collections": ["docstrings"], "systems": systems})
    rows = pd.DataFrame(
        {"collection": "docstrings", "first_stage": "bm25", "system": systems,
         "label": systems, "nDCG@10": [0.3, 0.5, 0.6, 0.7]}
    )  # fmt: skip
    table = modes(resolved, rows, "nDCG@10").set_index("system")
    assert list(table.index) == systems[1:]
    assert table["mode"].tolist() == ["windows 20/10", "single pass", "windows 20/10"]
    assert table.loc["resrank_joint_window", "difference"] == pytest.approx(-0.1)
    assert table["difference"].isna().tolist() == [False, True, True]
    assert mode_of(resolved, "bm25") is None


def test_before_and_after_reranking():
    resolved = load_suite({"name": "s", "collections": ["docstrings"], "systems": ["bm25"]})
    rows = pd.DataFrame(
        {"collection": "c", "first_stage": "bm25", "label": ["First", "Low", "High"],
         "reranks": [False, True, True], "nDCG@10": [0.3, 0.2, 0.5]}
    )  # fmt: skip
    assert before_and_after(rows, "c", "bm25", resolved) == {
        "nDCG@10 before": 0.3, "nDCG@10 after": 0.5, "by": "High",
    }  # fmt: skip
    nothing = before_and_after(rows[:1], "c", "bm25", resolved)
    assert nothing == {"nDCG@10 before": 0.3, "nDCG@10 after": None, "by": None}
