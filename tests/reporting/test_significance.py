import json

import pandas as pd
import pytest

from resrank.evaluation.compare import statistics
from resrank.reporting.matrix import difference_matrix
from resrank.reporting.significance import marks, pairs, seeds
from resrank.reporting.tables import Column, write_table
from tests.reporting.synthetic import SCORES

FOUND = {("c", "bm25"): json.loads(json.dumps(statistics(SCORES, "nDCG@10")))}
FRAME = pd.DataFrame(
    {"collection": "c", "first_stage": "bm25", "system": ["low", "middle", "level", "high"]}
)


def test_marks_are_against_the_baseline_or_the_best():
    assert marks(FRAME, FOUND, None) == ["↓", "↓", "", ""]
    assert marks(FRAME, FOUND, "middle") == ["↓", "", "↑", "↑"]


def test_a_mark_follows_its_number(tmp_path):
    frame = pd.DataFrame({"score": [0.5, 0.25], "sd": [0.01, None], "mark": ["↑", ""]})
    write_table(tmp_path, "t", frame, {"score": Column("s", 2, 0, "sd", "mark")}, [], "Caption.")
    assert (tmp_path / "t.md").read_text().splitlines()[2:4] == ["| 0.50 ± 0.01 ↑ |", "| 0.25 |"]
    assert r"0.50 $\pm$ 0.01 $\uparrow$ \\" in (tmp_path / "t.tex").read_text()


def test_no_probability_is_shown_as_nought(tmp_path):
    frame = pd.DataFrame({"p": [1e-9, 0.0001, 0.25, None]})
    write_table(tmp_path, "t", frame, {"p": Column("p", 4, p=True)}, [], "Caption.")
    rows = (tmp_path / "t.md").read_text().splitlines()[2:6]
    assert rows == ["| <0.0001 |", "| 0.0001 |", "| 0.2500 |", "| – |"]
    assert r"$<$0.0001 \\" in (tmp_path / "t.tex").read_text()
    assert pd.read_csv(tmp_path / "t.csv")["p"][0] == 1e-9


def test_tables_of_pairs_and_seeds():
    table = pairs(FOUND)
    assert len(table) == 6
    both = table[table["a"].isin(["high", "level"]) & table["b"].isin(["high", "level"])]
    assert both["within_seeds"].tolist() == ["yes"]
    assert set(table["within_seeds"].dropna()) == {"yes", "no"}
    spread = seeds(FOUND).set_index("system")
    assert spread.loc["high", "range"] == pytest.approx(
        spread.loc["high", "max"] - spread.loc["high", "min"]
    )
    assert pd.isna(spread.loc["low", "range"])


def test_the_matrix_is_drawn_once_for_every_candidate_set(tmp_path):
    twice = FOUND | {("d", "bm25"): FOUND["c", "bm25"]}
    svg, png = difference_matrix(twice, {"low": "A long label"}, "Note. ", tmp_path / "m")
    text = svg.read_text()
    assert text.count("<!-- A long label") == 2
    assert png.stat().st_size > 1000
