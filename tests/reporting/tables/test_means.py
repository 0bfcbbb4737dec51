"""Means over collections give their number; skipped sets are named with the results."""

import json

import pandas as pd
import pytest

from resrank.reporting.conditions import conditions
from resrank.reporting.tables.comparison import comparison_columns
from resrank.reporting.tables.means import with_means
from resrank.reporting.tables.write import write_table
from resrank.suite.load import load_suite
from tests.conftest import write_beir


def suite(tmp_path, names, **more):
    """Return a suite of optional folders; those whose names start with 'gone' are missing."""
    collections = {}
    for name in names:
        folder = tmp_path / name if name.startswith("gone") else write_beir(tmp_path / name)
        collections[name] = {"kind": "beir", "path": str(folder), "licence": "theirs",
                             "optional": True}  # fmt: skip
    define = {"collections": collections}
    return load_suite({"name": "s", "collections": names, "systems": ["bm25", "bi_encoder"],
                       "metrics": ["nDCG@10"], "define": define} | more)  # fmt: skip


def frame(resolved, scores):
    rows = [
        {"collection": c, "first_stage": stage, "system": system,
         "label": resolved.systems[system].label, "nDCG@10": score, "nDCG@10 sd": None, "seeds": 1,
         "queries": 100 * n, "dtype": "float32", "timed_queries": 2, "threads": 1,
         "processor": "P", "p50_ms_online": 3.0, "timed": "here", "reranks": system != "bm25",
         "generated_tokens": 0.0, "clean_share": None, "companion": False}
        for n, ((c, stage), values) in enumerate(zip(resolved.pairs, scores, strict=True), start=1)
        for system, score in zip(resolved.suite.systems, values, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def means_of(table):
    rows = table[table["collection"].str.startswith("mean")]
    return list(rows[["collection", "first_stage", "system", "nDCG@10"]].itertuples(index=False))


def test_each_collection_has_the_same_weight(tmp_path):
    resolved = suite(tmp_path, ["a", "b"])
    table = with_means(resolved, frame(resolved, [(0.2, 0.4), (0.3, 0.8)]))
    assert means_of(table) == [
        ("mean of 2", "bm25", "bm25", pytest.approx(0.25)),
        ("mean of 2", "bm25", "bi_encoder", pytest.approx(0.6)),
    ]
    assert table["label"].notna().all()


def test_a_mean_over_fewer_sets_than_the_suite_names_gives_both_numbers(tmp_path):
    resolved = suite(tmp_path, ["a", "gone", "b"])
    rows = frame(resolved, [(0.2, 0.4), (0.3, 0.8)])
    rows["mark"] = ""
    table = with_means(resolved, rows)
    assert [row[0] for row in means_of(table)] == ["mean of 2 of 3"] * 2
    note = conditions(resolved, rows)  # under the tables, and under the figures
    assert f"Skipped: gone, no {tmp_path / 'gone'} (licence: theirs). " in note
    columns = {
        k: v
        for k, v in comparison_columns(resolved, rows).items()
        if k in table or v.header == "system"
    }
    write_table(tmp_path, "t", table, columns, ["collection", "first_stage"], note)
    lines = (tmp_path / "t.md").read_text().splitlines()
    last = next(line for line in lines if line.startswith("| mean of 2 of 3 | bm25 | Bi-enc"))
    assert "| **0.6000** | – |" in last


def test_a_mean_over_the_one_remaining_set_of_two_is_labelled(tmp_path):
    resolved = suite(tmp_path, ["a", "gone"])
    rows = frame(resolved, [(0.2, 0.4)])
    assert [row[0] for row in means_of(with_means(resolved, rows))] == ["mean of 1 of 2"] * 2
    assert "collection" in comparison_columns(resolved, rows)


def test_one_collection_has_no_mean(tmp_path):
    resolved = suite(tmp_path, ["a"])
    rows = frame(resolved, [(0.2, 0.4)])
    assert with_means(resolved, rows) is rows


def test_each_first_stage_has_a_mean(tmp_path):
    run = tmp_path / "r.run"
    run.write_text("q1 Q0 p1 1 1.0 t\n")
    names = ["a", "b"]
    define = {"first_stages": {"splade": {"kind": "run", "path": str(run)}}}
    resolved = suite(tmp_path, names)
    given = json.loads(resolved.given.model_dump_json())
    given["define"]["first_stages"] = define["first_stages"]
    given["define"]["collections"]["b"]["first_stages"] = ["bm25", "splade"]
    resolved = load_suite(given)
    table = with_means(resolved, frame(resolved, [(0.2, 0.4), (0.4, 0.6), (0.9, 0.9)]))
    assert [row[:2] for row in means_of(table)][::2] == [
        ("mean of 2", "bm25"), ("mean of 1 of 2", "splade"),
    ]  # fmt: skip
