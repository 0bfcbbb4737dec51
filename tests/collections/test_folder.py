import gzip
import json

import pytest

from resrank.candidates.bm25 import Bm25Stage
from resrank.candidates.freeze import freeze
from resrank.candidates.run import RunStage
from resrank.collections.beir import BeirCollection
from resrank.collections.beir_folder import read_passages
from resrank.collections.counting import count_lines
from resrank.collections.rankllm import read_lists
from resrank.io.candidates import read_candidates
from resrank.io.collection import Collection
from resrank.io.collection_content import CollectionContent
from resrank.io.text import DataError
from resrank.records import Passage, Query, Split
from tests.conftest import write_beir


def build(beir, out, **options):
    BeirCollection(kind="beir", path=beir, **options).collect(out)
    return Collection(out)


def test_common_form(beir, tmp_path):
    made = build(beir, tmp_path / "out")
    assert [(q.id, q.split) for q in made.queries()] == [
        ("q1", Split.TEST), ("q2", Split.TEST), ("q3", Split.TRAIN), ("q4", Split.TRAIN),
    ]  # fmt: skip
    assert made.qrels(Split.TEST) == {"q1": {"p1": 1, "p5": 2}, "q2": {"p4": 1, "pX": 1}}
    counts = made.manifest["counts"]
    assert (counts["passages"], counts["empty_passages"]) == (6, 1)
    assert counts["judged_passages_absent"] == 1
    again = build(beir, tmp_path / "again")
    assert again.hash == made.hash


def test_a_sample_holds_the_other_test_queries_out(beir, tmp_path):
    made = build(beir, tmp_path / "out", test_sample=1)
    assert len(made.queries(Split.TEST)) == 1
    assert len(made.queries(Split.HELD_OUT)) == 1
    assert len(made.qrels(Split.TEST)) == 1


@pytest.mark.parametrize("exclude", [False, True])
def test_a_querys_own_passage_is_no_candidate_of_any_first_stage(tmp_path, exclude):
    texts = {"q1": "what jumps high", "d1": "fleas jump high", "q2": "sleep"}
    queries = {"q1": texts["q1"], "d1": "sleep"}  # no passage of q2's own is asked for
    folder = write_beir(
        tmp_path / "b", texts, queries, {"test": [("q1", "d1", 1), ("d1", "q2", 1)]}
    )
    made = build(folder, tmp_path / "c", exclude_same_id=exclude)
    assert [q.excluded for q in made.queries()] == (["d1", "q1"] if exclude else [None, None])
    run = tmp_path / "my.run"
    run.write_text("q1 Q0 q1 1 3 t\nq1 Q0 d1 2 2 t\nd1 Q0 q2 1 2 t\nd1 Q0 d1 2 1 t\n")
    for stage in (Bm25Stage(kind="bm25"), RunStage(kind="run", path=run)):
        freeze(made, stage, tmp_path / "x.parquet")
        lists = read_candidates(tmp_path / "x.parquet")
        assert [p for p, _ in lists["q1"]] == (["d1"] if exclude else ["q1", "d1"])
        assert "q2" in [p for p, _ in lists["d1"]]
        assert ("d1" in [p for p, _ in lists["d1"]]) <= (not exclude)


def test_a_query_keeps_another_passage_that_it_excludes(beir, tmp_path):
    entry = BeirCollection(kind="beir", path=beir, exclude_same_id=True)
    queries = [Query("a", "x", Split.TEST, excluded="p"), Query("b", "x", Split.TEST)]
    content = CollectionContent(queries, [Passage("p", "x")], {"a": {"p": 1}, "b": {"p": 1}})
    entry.write_content(tmp_path / "c", content, {})
    assert [q.excluded for q in Collection(tmp_path / "c").queries()] == ["p", "b"]


def test_the_librarys_collections_whose_queries_are_passages_exclude_them():
    from resrank.suite.library import library

    entries = library().collections.items()
    assert {name for name, entry in entries if entry.exclude_same_id} == {"arguana", "quora"}


def gzipped(path):
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return packed


FILES = ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv", "qrels/train.tsv"]


@pytest.mark.parametrize("names", [*([name] for name in FILES), FILES])
def test_every_file_may_be_gzip(beir, tmp_path, names):
    plain = build(beir, tmp_path / "plain")
    spec = BeirCollection(kind="beir", path=beir)
    sizes, train = spec.sizes(), spec.has_train_split()
    count_lines.cache_clear()
    for name in names:
        gzipped(beir / name)
    assert (spec.sizes(), spec.has_train_split()) == (sizes, train) == ((6, 2, 2), True)
    assert len(spec.source_files()) == 4
    packed = build(beir, tmp_path / "packed")
    assert packed.hash == plain.hash
    assert packed.manifest["counts"] == plain.manifest["counts"]


def test_a_plain_file_counts_before_a_packed_one(beir, tmp_path):
    plain = build(beir, tmp_path / "plain")
    (beir / "corpus.jsonl.gz").write_bytes(b"\x1f\x8bno gzip")
    assert build(beir, tmp_path / "again").hash == plain.hash


def test_a_damaged_packed_file_is_named(beir, tmp_path):
    count_lines.cache_clear()
    packed = gzipped(beir / "corpus.jsonl")
    whole = packed.read_bytes()
    for damaged in (whole[:-9], whole[:12] + bytes(8) + whole[20:]):
        packed.write_bytes(damaged)
        with pytest.raises(DataError, match="cannot read .*corpus.jsonl.gz: "):
            build(beir, tmp_path / "out")
        with pytest.raises(DataError, match="cannot read .*corpus.jsonl.gz: "):
            BeirCollection(kind="beir", path=beir).sizes()


@pytest.mark.parametrize(
    ("title", "text"),
    [({}, "fleas jump"), ({"title": None}, "fleas jump"), ({"title": ""}, "fleas jump"),
     ({"title": "A"}, "A fleas jump"), ({"title": 7}, "7 fleas jump")],
)  # fmt: skip
def test_a_title_may_be_missing_or_null(tmp_path, title, text):
    row = {"_id": "d1", **title, "text": "fleas jump"}
    (tmp_path / "corpus.jsonl").write_text(json.dumps(row) + "\n")
    assert [p.text for p in read_passages(tmp_path / "corpus.jsonl")] == [text]
    doc = {"docid": "d1", "score": 1, "doc": {**title, "contents": None, "text": "fleas jump"}}
    lists = [{"query": {"text": "q", "qid": "q1"}, "candidates": [doc]}]
    for name, content in (("c.json", json.dumps(lists)), ("c.jsonl", json.dumps(lists[0]))):
        (tmp_path / name).write_text(content)
        plain = read_lists(tmp_path / name)
        assert [hit.text for hit in plain[0].hits] == [text]
        assert read_lists(gzipped(tmp_path / name)) == plain


@pytest.mark.parametrize("title", [["A"], {"a": 1}, True, 1.5])
def test_a_title_of_another_kind_is_refused(tmp_path, title):
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"_id": "d", "title": title, "text": "x"}))
    with pytest.raises(DataError, match="field 'title' is .*; text is needed"):
        list(read_passages(tmp_path / "corpus.jsonl"))


def append(path, line):
    with path.open("a") as file:
        file.write(line + "\n")


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("corpus.jsonl", "{not json", r"corpus.jsonl:7: not valid JSON"),
        ("corpus.jsonl", "[1]", r"corpus.jsonl:7: a JSON object is needed, found list"),
        ("corpus.jsonl", '{"_id": "p1", "text": "x"}', r"corpus.jsonl:7: passage id 'p1' occurs twice"),
        ("corpus.jsonl", '{"_id": "p9"}', r"corpus.jsonl:7: field 'text' is missing"),
        ("corpus.jsonl", '{"_id": " p9", "text": "x"}', r"corpus.jsonl:7: field '_id' is ' p9'"),
        ("corpus.jsonl", '{"_id": "a\\tb", "text": "x"}', r"corpus.jsonl:7: field '_id' is"),
        ("corpus.jsonl", '{"_id": "p9", "text": "\\ud800"}', r"corpus.jsonl:7: .* half a character"),
        ("queries.jsonl", '{"_id": "q9", "text": " "}', r"queries.jsonl:5: query 'q9' is empty"),
        ("queries.jsonl", '{"_id": "q1", "text": "x"}', r"queries.jsonl:5: query id 'q1' occurs twice"),
        ("qrels/test.tsv", "q1\tp1\thigh", r"test.tsv:6: grade 'high'"),
    ],
)  # fmt: skip
def test_mistakes_are_named_by_file_and_line(beir, tmp_path, file, line, message):
    append(beir / file, line)
    with pytest.raises(ValueError, match=message):
        build(beir, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("row", ["nobody\tp1\t1", "q1\tnothing\t1"])
def test_qrels_of_another_collection(beir, tmp_path, row):
    (beir / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{row}\n")
    with pytest.raises(ValueError, match="no judged (query|passage) is in the collection"):
        build(beir, tmp_path / "out")


def test_missing_folder(tmp_path):
    with pytest.raises(ValueError, match="no folder .*nowhere"):
        build(tmp_path / "nowhere", tmp_path / "out")


def test_missing_test_qrels_names_those_that_are_there(beir, tmp_path):
    with pytest.raises(ValueError, match=r"no .*final.tsv.*test.tsv, train.tsv"):
        build(beir, tmp_path / "out", test="final")


def test_ids_given_as_numbers_are_text(beir, tmp_path):
    append(beir / "corpus.jsonl", json.dumps({"_id": 7, "title": "T", "text": "x"}))
    texts = {p.id: p.text for p in build(beir, tmp_path / "out").passages}
    assert texts["7"] == "T x"


def test_the_length_of_a_title_stays_with_its_passage(beir, tmp_path):
    append(beir / "corpus.jsonl", json.dumps({"_id": "t", "title": " A title ", "text": "x"}))
    table = build(beir, tmp_path / "out").passages
    passage = table.of(["t"])["t"]
    assert passage.text[: passage.title_length] == "A title"
    assert {p.title_length for p in table} == {0, len("A title")}


def test_a_judged_query_without_text_stays_in_every_mean(beir, tmp_path):
    append(beir / "qrels" / "test.tsv", "nobody\tp1\t1")
    made = build(beir, tmp_path / "out")
    assert set(made.qrels(Split.TEST)) == {"q1", "q2", "nobody"}
    assert made.manifest["counts"]["judged_queries_without_text"] == 1
    freeze(made, Bm25Stage(kind="bm25"), tmp_path / "bm25.parquet")
    about = json.loads((tmp_path / "bm25.manifest.json").read_text())["splits"]["test"]
    assert (about["judged_queries"], about["queries_without_candidates"]) == (3, 1)
    assert about["recall@100"] == pytest.approx((1 + 1 / 2 + 0) / 3)
