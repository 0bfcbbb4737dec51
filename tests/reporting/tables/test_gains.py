"""The gain over untrained in tables and figures, from generated scores."""

import json
import re

import pandas as pd
import pytest

from resrank.evaluation.all_pairs import Families, statistics
from resrank.evaluation.score import SCHEMA
from resrank.reporting.figures.difference_matrix import difference_matrix
from resrank.reporting.figures.intervals import scores_with_intervals
from resrank.reporting.tables.column import Column
from resrank.reporting.tables.effectiveness import write_effectiveness
from resrank.reporting.tables.gains import (
    gain_column,
    gain_legend,
    gains_note,
    with_gains,
    with_mean_intervals,
)
from resrank.reporting.tables.means import with_means
from resrank.reporting.tables.significance import marks, pairs, seeds
from resrank.reporting.tables.write import write_table
from resrank.suite.load import load_suite
from tests.conftest import write_beir
from tests.reporting.synthetic_scores import SCORES

FAMILIES = Families({"high": "low", "level": "high_before"}, ["low"])
RENAMED = [*SCORES, *(("high_before", *row[1:]) for row in SCORES if row[0] == "high")]
STATISTICS = {("c", "bm25"): json.loads(json.dumps(statistics(RENAMED, "nDCG@10", FAMILIES)))}
LABELS = {name: name.title() for name in ("low", "middle", "level", "high", "high_before")}


def frame():
    rows = [
        {"collection": "c", "first_stage": "bm25", "system": row["system"],
         "label": LABELS[row["system"]], "nDCG@10": row["mean"], "nDCG@10 sd": row["sd"],
         "seeds": row["seeds"], "queries": 60, "companion": row["companion"]}
        for row in STATISTICS["c", "bm25"]["systems"]
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_gain_has_its_interval_and_its_arrow(tmp_path):
    resolved = load_suite({"name": "s", "collections": ["docstrings"], "systems": ["bm25"]})
    table = with_gains(frame(), STATISTICS)
    by_system = table.set_index("system")
    means = by_system["nDCG@10"]
    assert by_system.loc["high", "gain"] == pytest.approx(means["high"] - means["low"])
    assert by_system.loc["high", "gain_mark"] == "↑"
    assert by_system.loc["level", "gain_mark"] == ""  # level and high do not differ
    assert by_system.loc["middle":"middle", "gain"].isna().all()
    columns = {"label": Column("system"), "nDCG@10": Column("nDCG@10", 4, 1), **gain_column(table)}
    write_table(tmp_path, "t", table, columns, [], "C." + gain_legend(resolved, table))
    text = (tmp_path / "t.md").read_text()
    assert "| system | nDCG@10 | gain over untrained |" in text
    (high,) = [line for line in text.splitlines() if line.startswith("| High |")]
    assert re.search(r"\| \+0\.2\d{3} \[0\.\d{4}, 0\.\d{4}\] ↑ \|$", high)
    assert "not marked as best" in text


def test_a_table_without_trained_systems_has_no_such_column():
    plain = {("c", "bm25"): statistics(SCORES, "nDCG@10")}
    table = with_gains(frame(), plain)
    assert "gain" not in table
    assert gain_column(table) == {}
    assert gains_note(table) == ""


def test_a_companion_is_never_best_and_never_marked(tmp_path):
    table = frame()
    table.loc[table["system"] == "low", "nDCG@10"] = 0.9
    columns = {"label": Column("system"), "nDCG@10": Column("nDCG@10", 4, 1)}
    write_table(tmp_path, "t", table, columns, [], "C.")
    lines = (tmp_path / "t.md").read_text().splitlines()
    assert "| Low | 0.9000 |" in lines
    assert any(line.startswith("| High | **") for line in lines)
    assert dict(zip(table["system"], marks(table, STATISTICS, None), strict=True))["low"] == ""


def test_the_tables_of_scores_and_of_tests():
    scores = seeds(STATISTICS, LABELS).set_index("system")
    assert scores["gain"].notna().sum() == 2
    tested = pairs(STATISTICS, LABELS)
    assert tested["family"].tolist() == ["comparison"] * 6 + ["gain over untrained"] * 2
    listed = tested[tested["family"] == "comparison"]
    assert "low" not in {*listed["a"], *listed["b"]}


def test_figures_draw_companions_hollow_or_leave_them_out(tmp_path):
    scores = scores_with_intervals(STATISTICS, LABELS, "N.", tmp_path / "s")[0].read_text()
    assert "<!-- Low -->" in scores
    assert "Hollow: a trained system" in scores
    matrix = difference_matrix(STATISTICS, LABELS, "N. ", tmp_path / "m")[0].read_text()
    assert "<!-- Low" not in matrix
    assert "<!-- Middle" in matrix


def test_means_over_collections_have_a_gain_with_its_interval(tmp_path):
    """Collection a: gains of 0.1 and 0.3; b: 0.2 twice. Each has the same weight."""
    collections = {
        name: {"kind": "beir", "path": str(write_beir(tmp_path / name))} for name in "ab"
    }
    tuned = {"kind": "bi_encoder", "training": {}, "seeds": [1], "label": "Tuned"}
    resolved = load_suite(
        {"name": "s", "collections": ["a", "b"], "systems": ["tuned"], "metrics": ["nDCG@10"],
         "define": {"collections": collections, "systems": {"tuned": tuned}}}
    )  # fmt: skip
    values = {"a": {"tuned": [0.4, 0.8], "tuned_untrained": [0.3, 0.5]},
              "b": {"tuned": [0.5, 0.9], "tuned_untrained": [0.3, 0.7]}}  # fmt: skip
    rows, by_set = [], {}
    for name, systems in values.items():
        scores = [(s, 0, f"q{n}", "nDCG@10", v) for s, vs in systems.items() for n, v in enumerate(vs)]  # fmt: skip
        path = tmp_path / "scores" / name / "bm25.parquet"
        path.parent.mkdir(parents=True)
        pd.DataFrame(scores, columns=SCHEMA.names).to_parquet(path)
        by_set[name, "bm25"] = statistics(scores, "nDCG@10", Families(resolved.untrained, resolved.companions))  # fmt: skip
        rows += [{"collection": name, "first_stage": "bm25", "system": s, "label": resolved.label(s),
                  "nDCG@10": sum(vs) / 2, "seeds": 1, "queries": 2, "companion": s != "tuned"}
                 for s, vs in systems.items()]  # fmt: skip
    table = with_means(resolved, with_gains(pd.DataFrame(rows), by_set))
    table = with_mean_intervals(resolved, tmp_path, table)
    mean = table[(table["collection"] == "mean of 2") & (table["system"] == "tuned")].iloc[0]
    assert mean["gain"] == pytest.approx(0.2)
    assert (mean["gain_low"], mean["gain_high"]) == pytest.approx((0.15, 0.25))
    write_effectiveness(resolved, tmp_path, table, "Note.", "")
    text = (tmp_path / "tables" / "effectiveness.md").read_text()
    assert "mean of 2 +0.2000 [0.1500, 0.2500]" in text
    assert "| Tuned, untrained | 0.4000 |" in text
