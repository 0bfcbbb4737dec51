import json

import pytest

from resrank.candidates.freeze import freeze
from resrank.candidates.imported import ImportedStage
from resrank.collections.candidates import CandidatesCollection
from resrank.collections.rankllm import read_lists, unwrap
from resrank.io.candidates import read_candidates
from resrank.io.collection import Collection
from resrank.io.text import DataError

OLD = [{"query": "fleas", "hits": [
    {"content": "Title: Fleas Content: Fleas jump.", "qid": 1, "docid": "d1", "rank": 1, "score": 2.0},
    {"content": "Dogs bark.", "qid": 1, "docid": "d2", "rank": 2, "score": 1.0}]}]  # fmt: skip
NEW = [{"query": {"text": "fleas", "qid": "1"}, "candidates": [
    {"docid": "d1", "score": 2.0, "doc": {"title": "Fleas", "contents": "Fleas jump."}},
    {"docid": "d2", "score": 1.0, "doc": "Dogs bark."}]}]  # fmt: skip


def build(tmp_path, rows, ending="json"):
    path, qrels = tmp_path / f"c.{ending}", tmp_path / "qrels.txt"
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(json.dumps(rows) if ending == "json" else lines)
    qrels.write_text("1 0 d2 1\n1 0 d7 1\n2 0 d1 1\n")
    CandidatesCollection(kind="candidates", path=path, qrels=qrels).collect(tmp_path / "out")
    return Collection(tmp_path / "out")


@pytest.mark.parametrize("ending", ["json", "jsonl"])
@pytest.mark.parametrize("rows", [OLD, NEW], ids=["hits", "candidates"])
def test_both_layouts_give_one_collection(tmp_path, rows, ending):
    made = build(tmp_path, rows, ending)
    assert {p.id: p.text for p in made.passages} == {
        "d1": "Fleas Fleas jump.", "d2": "Dogs bark.",
    }  # fmt: skip
    out = tmp_path / "imported.parquet"
    freeze(made, ImportedStage(kind="imported"), out)
    assert read_candidates(out) == {"1": [("d1", 2.0), ("d2", 1.0)]}
    about = json.loads(out.with_suffix(".manifest.json").read_text())["splits"]["test"]
    assert about["recall@100"] == 0.25  # query 2 is judged and has no list: it counts 0
    assert about["short_lists"] == 2
    assert about["queries_without_candidates"] == 1


@pytest.mark.parametrize("text", ["[" + "9" * 5000 + "]", "[" * 9999, '[{"query"', "\ufeff["])
@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_what_is_no_json_is_named(tmp_path, text, ending):
    path = tmp_path / f"c.{ending}"
    path.write_text(text)
    with pytest.raises(DataError, match=f"{path}.* not valid JSON: "):
        read_lists(path)


@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_a_mark_of_byte_order_is_read_over(tmp_path, ending):
    path = tmp_path / f"c.{ending}"
    path.write_text(json.dumps(NEW if ending == "json" else NEW[0]), "utf-8-sig")
    assert [item.query_id for item in read_lists(path)] == ["1"]


def test_unwrap():
    assert unwrap("Title:  Content: A flea.") == "A flea."
    assert unwrap("No wrapping here.") == "No wrapping here."


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"query": "x", "hits": "none"}, "entry 1: a list of objects"),
        ({"query": "x", "hits": [{"docid": "a", "qid": 3, "content": "t", "score": None}]},
         "entry 1, candidate 0: score None"),
        ({"query": "x", "hits": [{"docid": "a", "qid": 3, "content": "t", "score": 10**400}]},
         r"entry 1, candidate 0: score 10+\.\.\.0+; a finite"),
        ({"query": "x", "hits": [{"docid": "a\0b", "qid": 3, "content": "t", "score": 1}]},
         r"entry 1, candidate 0: field 'docid' is 'a\\x00b'"),
        ({"query": "x", "hits": [
            {"docid": name, "qid": 3, "content": "t", "score": 1} for name in "abcb"]},
         "entry 1: passage 'b' occurs twice for query '3'"),
        ({"query": {"qid": "5", "text": "x"}, "candidates": [{"docid": "a", "score": 1, "doc": "\ud800"}]},
         "entry 1, candidate 0: field 'doc' holds half a character"),
        ({"query": "x", "hits": []}, "no 'qid'"),
        ({"query": {"qid": "5", "text": ""}, "candidates": []}, "query '5' is empty"),
        ({"query": {"qid": "1", "text": "x"}, "candidates": []}, "query id '1' occurs twice"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path, row, message):
    with pytest.raises(ValueError, match=message):
        build(tmp_path, [*OLD, row])
