"""The task `description` of docstrings: a summary finds the rest of its docstring."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from resrank.collections.known_item_splits import split_by_name
from resrank.collections.known_items import MIN_BODY_WORDS, known_items
from resrank.collections.numpydoc import parse
from resrank.evaluation.leak import training_positives
from resrank.io.collection import Collection
from resrank.records import Split
from resrank.suite.load import load_suite
from tests.benchmarks.shared_words import name_words, near_copies, share
from tests.collections.described_package import WORDS, described_package
from tests.entries import parse_collection


def test_the_body_is_the_text_behind_the_summary():
    doc = parse(
        "f(x)\n\nReturn it,\nas it is.\n\nMore.\n\nSee Also\n--------\ng\n\nNotes\n-----\nEnd."
    )
    assert (doc.summary, doc.body) == ("Return it, as it is.", "More. Notes End.")
    assert parse("Return it.").body == ""


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    with described_package(tmp_path_factory.mktemp("package")) as package:
        return known_items([package], 60)


def test_a_passage_has_no_summary_signature_or_see_also(content):
    passages = {p.id: p.text for p in content[0].passages}
    assert passages["described.area"] == f"{WORDS} area."
    assert "described.alias" not in passages  # the same object; of equal names the first
    assert len(set(passages.values())) == len(passages)


def test_objects_with_the_summary_are_relevant(content):
    texts = {q.id: q.text for q in content[0].queries}
    assert texts["q:described.area"] == "Return the area of a circle."
    assert content[0].qrels["q:described.area"] == {"described.area": 1}
    assert content[0].qrels["q:described.ceil"] == {"described.ceil": 1, "described.round_off": 1}
    assert "Round a number to whole ones." in texts.values()


def test_one_passage_may_have_several_summaries(content):
    assert content[0].qrels["q:described.twin_a"] == {"described.twin_a": 1}
    assert content[0].qrels["q:described.twin_b"] == {"described.twin_a": 1}
    splits = {q.id: q.split for q in content[0].queries}
    assert splits["q:described.twin_a"] == splits["q:described.twin_b"]


def test_what_names_no_single_object_is_left_out_and_counted(content):
    assert {q.id.removeprefix("q:described.") for q in content[0].queries} == {
        "area", "rim", "ceil", "twin_a", "twin_b",
    }  # fmt: skip
    assert content[1]["left_out"] == {
        "short docstrings": 1,
        "short summaries": 1,
        "summaries of too many passages": 1,
        "summaries with a passage of too many summaries": 6,
    }


def test_a_passage_is_cut(tmp_path):
    with described_package(tmp_path, "cut_short") as package:
        passages = list(known_items([package], 10)[0].passages)
    assert {len(p.text.split()) for p in passages} == {10}


NAMES = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=2)


@given(st.dictionaries(st.integers(0, 60).map(str), st.tuples(NAMES, NAMES)))
def test_queries_that_share_a_name_or_a_passage_share_a_split(queries):
    relevant = {q: passages for q, (passages, _) in queries.items()}
    names = {q: [f"package.Class.{last}" for last in lasts] for q, (_, lasts) in queries.items()}
    splits = split_by_name(relevant, names)
    assert set(splits) == set(relevant)
    for a in relevant:
        for b in relevant:
            if set(relevant[a]) & set(relevant[b]) or set(names[a]) & set(names[b]):
                assert splits[a] == splits[b]


def test_a_split_depends_on_the_name_alone_and_large_groups_are_for_training():
    relevant = {f"q{n}": [f"p{n}"] for n in range(2000)}
    names = {f"q{n}": [f"package.name{n}"] for n in range(2000)}
    splits = split_by_name(relevant, names)
    shares = [list(splits.values()).count(s) / 2000 for s in (Split.TRAIN, Split.DEV, Split.TEST)]
    assert shares == pytest.approx([0.85, 0.05, 0.1], abs=0.02)
    fewer = [q for q in relevant if q != "q7"]
    without = split_by_name({q: relevant[q] for q in fewer}, {q: names[q] for q in fewer})
    assert without == {q: splits[q] for q in fewer}
    tested = [q for q in relevant if splits[q] == Split.TEST]
    many = split_by_name(relevant, names | {q: ["package.same"] for q in tested[:21]})
    assert {many[q] for q in tested[:21]} == {Split.TRAIN}


def test_a_real_package_has_no_test_positive_in_training(tmp_path):
    parse_collection({"kind": "docstrings", "packages": ["networkx"]}).collect(tmp_path / "c")
    collection = Collection(tmp_path / "c")
    passages = {p.id: p for p in collection.passages}
    assert all(MIN_BODY_WORDS <= len(p.text.split()) <= 60 for p in passages.values())
    seen = training_positives(collection.qrels(Split.TRAIN), passages, 1)
    tested = training_positives(collection.qrels(Split.TEST), passages, 1)
    assert len(seen) > 400
    assert len(tested) > 40
    assert not seen.keys() & tested.keys()
    lasts = {s: {q.id.rpartition(".")[2] for q in collection.queries(s)} for s in Split}
    assert not lasts[Split.TRAIN] & lasts[Split.TEST]
    assert collection.manifest["purpose"].startswith(
        "a demonstration on real text, not a benchmark"
    )
    assert not collection.has_grades


RELATED_HASH = "4b1d256114c3c19dac622bf27e0589d31fc2f1e8d87dea37fbe75089dad290fd"
"""Computed before the task `description` was added."""


def test_the_task_related_is_the_same_bytes_as_ever(tmp_path):
    with described_package(tmp_path / "package", "hashed") as package:
        spec = parse_collection(
            {"kind": "docstrings", "task": "related", "packages": [package], "source": "a test"}
        )
        spec.collect(tmp_path / "c")
    assert Collection(tmp_path / "c").hash == RELATED_HASH


def test_each_task_has_its_defaults():
    description = parse_collection({"kind": "docstrings"})
    assert description.task == "description"
    assert (description.max_words, description.grades_from, description.complete) == (
        60,
        None,
        False,
    )
    related = parse_collection({"kind": "docstrings", "task": "related"})
    assert (related.max_words, related.grades_from, related.complete) == (100, (1, 1), True)
    shorter = {"kind": "docstrings", "task": "related", "max_words": 60, "complete": False}
    assert (parse_collection(shorter).max_words, parse_collection(shorter).complete) == (60, False)
    for spec in (description, related):
        assert parse_collection(json.loads(spec.model_dump_json())) == spec


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"grades_from": [1, 2]},
            r"grades_from: \[1, 2\] given with `task: description`.*`task: related`",
        ),
        ({"complete": True}, "complete: true given with `task: description`"),
        (
            {"grades_from": [1, 1], "complete": True},
            r"grades_from: \[1, 1\] and complete: true given",
        ),
        ({"task": "relate"}, "'description' or 'related'"),
        ({"max_words": 9}, "greater than or equal to 10"),
    ],
)
def test_an_option_of_another_task_is_refused(more, message):
    with pytest.raises(ValidationError, match=message):
        parse_collection({"kind": "docstrings", **more})


def test_a_judge_without_a_collection_to_learn_from_learns_the_task_with_grades(beir):
    entry = {"kind": "beir", "path": str(beir), "train": None, "grades_from": [1, 2]}
    systems = ["rag_match_tiny", "bi_encoder_tuned"]
    resolved = load_suite({"name": "s", "collections": ["mine"], "systems": systems,
                           "define": {"collections": {"mine": entry}}})  # fmt: skip
    learned = [resolved.trained_on(name) for name in systems]
    assert learned == [["docstrings_related"], ["docstrings"]]
    assert resolved.only_learned_from == ["docstrings", "docstrings_related"]


def test_a_package_without_a_distribution(tmp_path):
    with described_package(tmp_path / "package", "unversioned") as package:
        entry = {"kind": "docstrings", "packages": [package]}
        parse_collection(entry).collect(tmp_path / "c")
    inputs = Collection(tmp_path / "c").manifest["inputs"]
    assert inputs == {"unversioned": "not of an installed distribution"}
    entry = {"kind": "docstrings", "packages": ["no_such_package"]}
    with pytest.raises(
        ValueError, match="'no_such_package' is not installed; install it or drop it"
    ):
        parse_collection(entry).collect(tmp_path / "d")


def test_shared_words_are_counted_as_terms_of_bm25():
    assert name_words("pandas.DataFrame.read_csvFiles") == {"read", "csv", "file"}
    assert share({"sort", "arrai"}, "Sorted lists.") == 0.5
    assert share(set(), "Sorted lists.") is None


def test_a_near_copy_has_half_of_the_runs_of_three_terms():
    texts = {
        "a": "one two three four five six",
        "b": "one two three four five seven",
        "c": "two one",
    }
    assert near_copies(texts, {"a"}, {"b"}) == 1  # 3 of 5 runs
    assert near_copies(texts, {"a"}, {"c"}) == 0
    assert near_copies(texts | {"b": "one two three seven eight nine"}, {"a", "b"}, {"b"}) == 0.5
