import json

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from resrank.evaluation.all_pairs import statistics
from resrank.reporting.figures.difference_matrix import (
    best_first,
    difference_matrix,
)
from resrank.reporting.tables.column import Column
from resrank.reporting.tables.significance import marks, pairs, seeds
from resrank.reporting.tables.write import write_table
from tests.reporting.synthetic_scores import SCORES

STATISTICS = {("c", "bm25"): json.loads(json.dumps(statistics(SCORES, "nDCG@10")))}
LABELS = {"low": "Low", "middle": "Middle", "level": "Level", "high": "High"}
FRAME = pd.DataFrame(
    {"collection": "c", "first_stage": "bm25", "system": ["low", "middle", "level", "high"]}
)


def test_marks_compare_with_the_baseline_or_the_best():
    assert marks(FRAME, STATISTICS, None) == ["↓", "↓", "", ""]
    assert marks(FRAME, STATISTICS, "middle") == ["↓", "", "↑", "↑"]


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
