import json

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from resrank.evaluation.all_pairs import Families, statistics
from resrank.reporting.figures.difference_matrix import (
    best_first,
    cells,
    difference_matrix,
)
from resrank.reporting.tables.column import Column
from resrank.reporting.tables.significance import (
    comparisons,
    marks,
    pairs,
    reference,
    seeds,
    write_significance,
)
from resrank.reporting.tables.write import write_table
from resrank.suite.load import load_suite
from resrank.suite.plan import Plan
from tests.reporting.synthetic_scores import SCORES

STATISTICS = {("c", "bm25"): json.loads(json.dumps(statistics(SCORES, "nDCG@10")))}
AGAINST_LOW = {("c", "bm25"): json.loads(
    json.dumps(statistics(SCORES, "nDCG@10", Families(baseline="low")))
)}  # fmt: skip
SUITE = {"name": "s", "collections": ["docstrings"], "systems": ["bm25", "bi_encoder"]}
LABELS = {"low": "Low", "middle": "Middle", "level": "Level", "high": "High"}
FRAME = pd.DataFrame(
    {"collection": "c", "first_stage": "bm25", "system": ["low", "middle", "level", "high"]}
)


def test_marks_compare_with_the_baseline_or_the_best():
    assert marks(FRAME, STATISTICS, None) == ["↓", "↓", "", ""]
    assert marks(FRAME, STATISTICS, "middle") == ["↓", "", "↑", "↑"]


def test_marks_compare_with_the_system_that_the_tests_compare_with():
    assert marks(FRAME, AGAINST_LOW, None) == ["", "↑", "↑", "↑"]


def test_the_family_is_the_comparisons_with_the_first_system_unless_the_suite_says_otherwise():
    suite = load_suite(SUITE)
    families = Plan(suite).families("docstrings")
    assert families["baseline"] == "bm25"
    assert comparisons(suite) == f"the comparisons of a candidate set with {suite.label('bm25')}"
    named = load_suite(SUITE | {"baseline": "bi_encoder"})
    assert Plan(named).families("docstrings")["baseline"] == "bi_encoder"
    assert reference(named) == named.label("bi_encoder")
    whole = load_suite(SUITE | {"comparisons": "all_pairs"})
    assert Plan(whole).families("docstrings")["baseline"] is None
    assert comparisons(whole) == "all pairs of systems of a candidate set"
    assert reference(whole) == "the best system"


def test_the_caption_says_what_the_family_is(tmp_path):
    scores = [
        (name, 0, f"{query}", "nDCG@10", 0.1 * query + shift)
        for name, shift in (("bm25", 0.0), ("bi_encoder", 0.1))
        for query in range(5)
    ]
    suite = load_suite(SUITE)
    results = {("docstrings", "bm25"): statistics(scores, "nDCG@10", Families(baseline="bm25"))}
    write_significance(suite, results, "T. ", tmp_path)
    text = (tmp_path / "tables" / "significance.md").read_text()
    first = suite.label("bm25")
    assert f"Families: the comparisons of a candidate set with {first}." in text


def test_the_matrix_marks_only_what_was_tested():
    tested = {pair: cell.significant for pair, cell in cells(AGAINST_LOW["c", "bm25"]).items()}
    assert tested["high", "low"] is True
    assert tested["low", "high"] is True
    assert tested["high", "level"] is None
    matrix = cells(STATISTICS["c", "bm25"])
    for pair in STATISTICS["c", "bm25"]["pairs"]:
        cell = matrix[pair["a"], pair["b"]]
        assert cell.difference == pytest.approx(pair["difference"])
        assert cell.within_seeds == bool(pair["within_seeds"])
        assert matrix[pair["b"], pair["a"]].difference == -cell.difference


def test_a_mark_follows_its_number(tmp_path):
    frame = pd.DataFrame({"score": [0.5, 0.25], "sd": [0.01, None], "mark": ["↑", ""]})
    write_table(
        tmp_path, "t", frame, {"score": Column("s", 2, 0, "sd", mark="mark")}, [], "Caption."
    )
    assert (tmp_path / "t.md").read_text().splitlines()[2:4] == ["| 0.50 ± 0.01 ↑ |", "| 0.25 |"]
    assert r"0.50 $\pm$ 0.01 $\uparrow$ \\" in (tmp_path / "t.tex").read_text()


def test_no_probability_is_displayed_as_zero(tmp_path):
    frame = pd.DataFrame({"p": [1e-9, 0.0001, 0.25, None]})
    write_table(tmp_path, "t", frame, {"p": Column("p", 4, p=True)}, [], "Caption.")
    rows = (tmp_path / "t.md").read_text().splitlines()[2:6]
    assert rows == ["| <0.0001 |", "| 0.0001 |", "| 0.2500 |", "| – |"]
    assert r"$<$0.0001 \\" in (tmp_path / "t.tex").read_text()
    assert pd.read_csv(tmp_path / "t.csv")["p"][0] == 1e-9


def test_tables_of_pairs_and_seeds():
    table = pairs(STATISTICS, LABELS)
    assert len(table) == 6
    assert table.loc[0, ["a_label", "b_label"]].tolist() == [
        LABELS[table["a"][0]],
        LABELS[table["b"][0]],
    ]
    both = table[table["a"].isin(["high", "level"]) & table["b"].isin(["high", "level"])]
    assert both["within_seeds"].tolist() == ["yes"]
    assert set(table["within_seeds"].dropna()) == {"yes", "no"}
    spread = seeds(STATISTICS, LABELS).set_index("system")
    assert spread.loc["high", "range"] == pytest.approx(
        spread.loc["high", "max"] - spread.loc["high", "min"]
    )
    assert pd.isna(spread.loc["low", "range"])


def test_the_matrix_has_one_panel_per_candidate_set_and_labels_left_of_each_row(tmp_path):
    ten = {(f"collection {place}", "bm25"): STATISTICS["c", "bm25"] for place in range(10)}
    svg, png = difference_matrix(ten, {"low": "A long label"}, "Note. ", tmp_path / "m")
    text = svg.read_text()
    assert text.count("<!-- collection ") == 10
    assert text.count("<!-- A long label") == 4  # rows of three panels
    height, width = plt.imread(png).shape[:2]
    assert height < 1.5 * width


def test_all_panels_of_the_matrix_have_one_order_of_systems():
    means = {("c", "bm25"): {"a": 0.9, "b": 0.2}, ("d", "bm25"): {"a": 0.1, "b": 0.4, "x": 0.6}}
    statistics_by_set = {
        key: {"systems": [{"system": name, "mean": mean} for name, mean in systems.items()]}
        for key, systems in means.items()
    }
    assert best_first(statistics_by_set) == ["x", "a", "b"]
