"""Means over collections say over how many; a skipped set is named wherever results are."""

import json

import pandas as pd
import pytest

from resrank.reporting.report import _columns, conditions
from resrank.reporting.tables.means import with_means
from resrank.reporting.tables.write import write_table
from resrank.suite.load import load_suite
from tests.conftest import write_beir


def suite(tmp_path, names, **more):
    """A suite of folders of which those called 'gone' are not there and optional."""
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
         "processor": "P", "p50_ms_online": 3.0, "timed": "here", "reranks": system != "bm25"}
        for n, ((c, stage), found) in enumerate(zip(resolved.pairs, scores, strict=True), start=1)
        for system, score in zip(resolved.suite.systems, found, strict=True)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def means_of(table):
    rows = table[table["collection"].str.startswith("mean")]
    return list(rows[["collection", "first_stage", "system", "nDCG@10"]].itertuples(index=False))


def test_a_collection_counts_once_whatever_its_queries(tmp_path):
    resolved = suite(tmp_path, ["a", "b"])
    table = with_means(resolved, frame(resolved, [(0.2, 0.4), (0.3, 0.8)]))
    assert means_of(table) == [
        ("mean of 2", "bm25", "bm25", pytest.approx(0.25)),
        ("mean of 2", "bm25", "bi_encoder", pytest.approx(0.6)),
    ]
    assert table["label"].notna().all()


def test_a_mean_over_fewer_sets_than_asked_for_says_so(tmp_path):
    resolved = suite(tmp_path, ["a", "gone", "b"])
    found = frame(resolved, [(0.2, 0.4), (0.3, 0.8)])
    found["mark"] = ""
    table = with_means(resolved, found)
    assert [row[0] for row in means_of(table)] == ["mean of 2 of 3"] * 2
    note = conditions(resolved, found)  # under the tables, and under the figures
    assert f"Skipped: gone, no {tmp_path / 'gone'} (licence: theirs). " in note
    shown = {
        k: v for k, v in _columns(resolved, found).items() if k in table or v.header == "system"
    }
    write_table(tmp_path, "t", table, shown, ["collection", "first_stage"], note)
    lines = (tmp_path / "t.md").read_text().splitlines()
    last = next(line for line in lines if line.startswith("| mean of 2 of 3 | bm25 | Bi-enc"))
    assert "| **0.6000** | – |" in last


def test_a_mean_of_what_is_left_of_two_is_not_hidden(tmp_path):
    resolved = suite(tmp_path, ["a", "gone"])
    found = frame(resolved, [(0.2, 0.4)])
    assert [row[0] for row in means_of(with_means(resolved, found))] == ["mean of 1 of 2"] * 2
    assert "collection" in _columns(resolved, found)


def test_one_collection_has_no_mean(tmp_path):
    resolved = suite(tmp_path, ["a"])
    found = frame(resolved, [(0.2, 0.4)])
    assert with_means(resolved, found) is found


def test_each_first_stage_has_its_own_mean(tmp_path):
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
