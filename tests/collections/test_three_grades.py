"""A collection's own grades as three: by its entry, or from the graph of docstrings."""

import json
from statistics import median

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from resrank.candidates.freeze import freeze
from resrank.collections.beir import BeirCollection
from resrank.collections.see_also_graph import graded
from resrank.collections.three_grades import three_grades
from resrank.io.candidates import read_candidates
from resrank.io.collection import Collection
from resrank.io.yaml import ConfigError
from resrank.jobs.training_sources import TrainingSource, examples_of
from resrank.records import Split
from resrank.suite.library import library
from resrank.suite.load import load_suite
from tests.conftest import write_beir
from tests.entries import parse_collection, parse_first_stage


def mapped(grades, grades_from):
    return three_grades({"q": {str(g): g for g in grades}}, grades_from)["q"]


def test_own_grades_map_by_where_each_begins():
    assert mapped([-1, 0, 1, 2, 3], (1, 2)) == {"-1": 0, "0": 0, "1": 1, "2": 2, "3": 2}
    assert mapped([0, 1], (1, 1)) == {"0": 0, "1": 2}
    assert mapped([0, 2, 4, 8, 16], (1, 4)) == {"0": 0, "2": 1, "4": 2, "8": 2, "16": 2}
    assert three_grades({"q": {"p": 1}}, None) is None


@given(st.lists(st.integers(-2, 20), min_size=2), st.integers(1, 9), st.integers(0, 9))
def test_a_higher_own_grade_is_never_a_lower_one_of_three(grades, partly, more):
    result = mapped(grades, (partly, partly + more))
    assert set(result.values()) <= {0, 1, 2}
    assert all(result[str(a)] <= result[str(b)] for a in grades for b in grades if a <= b)


def test_every_graded_collection_of_the_library_says_how():
    for name, spec in library().collections.items():
        if name == "docstrings":  # a passage is of the described object or not
            assert spec.grades_from is None
            continue
        assert spec.grades_from, name
        assert spec.grades_from[1] >= spec.relevant_grade, name


@pytest.mark.parametrize(("value", "message"), [([2, 1], "must not be above"), ([0, 1], "greater")])
def test_a_map_that_is_none(value, message):
    entry = {"kind": "beir", "path": "x", "grades_from": value}
    with pytest.raises(ValidationError, match=message):
        parse_collection(entry)


def test_docstrings_have_three_grades_by_distance_in_their_graph():
    """a names b, b names c and d; e names a; f names g, far from all."""
    result = graded({"a": ["b"], "b": ["c", "d"], "e": ["a"], "f": ["g"]})
    assert result["q:a"] == {"b": 2, "c": 1, "d": 1, "e": 1}
    assert result["q:b"] == {"c": 2, "d": 2, "a": 1, "e": 1}
    assert result["q:e"] == {"a": 2, "b": 1}
    assert result["q:f"] == {"g": 2}


def test_the_text_of_real_docstrings_supports_the_grade_between(tmp_path):
    """BM25, which knows nothing of links, ranks near objects below named ones, above the rest."""
    entry = {"kind": "docstrings", "task": "related", "packages": ["networkx"]}
    parse_collection(entry).collect(tmp_path / "c")
    collection, path = Collection(tmp_path / "c"), tmp_path / "bm25.parquet"
    freeze(collection, parse_first_stage({"kind": "bm25"}), path)
    lists = {q: [p for p, _ in result] for q, result in read_candidates(path).items()}
    judged = collection.graded(lists)
    ranks = [
        (grade, rank)
        for query_id, result in lists.items()
        for rank, passage_id in enumerate(result, start=1)
        if (grade := judged[query_id].get(passage_id)) is not None
    ]
    assert len(ranks) == sum(map(len, lists.values()))  # complete
    medians = [median(r for g, r in ranks if g == grade) for grade in (0, 1, 2)]
    print("median rank by grade 0, 1, 2:", medians)
    assert medians[2] < medians[1] < medians[0]
    named = {q: {p for p, g in result.items() if g == 2} for q, result in judged.items()}
    assert named == {q: set(result) for q, result in collection.qrels().items()}


def collected(tmp_path, **more):
    spec = BeirCollection(kind="beir", path=write_beir(tmp_path / "beir"), **more)
    spec.collect(tmp_path / "c")
    return Collection(tmp_path / "c")


def training_examples(collection, lists):
    source = TrainingSource(name="mine", collection=collection, candidates=lists)
    return examples_of([source], Split.TRAIN)


def test_grades_come_with_a_collection_and_with_its_training_examples(tmp_path):
    collection = collected(tmp_path, grades_from=[1, 1])
    judged = collection.qrels()
    assert collection.graded({}) == {
        q: {p: 2 * (g > 0) for p, g in result.items()} for q, result in judged.items()
    }
    lists = tmp_path / "bm25.parquet"
    freeze(collection, parse_first_stage({"kind": "bm25"}), lists)
    for example in training_examples(collection, lists):
        assert example.graded == {p: 2 * (g > 0) for p, g in example.grades.items()}


def test_of_complete_judgments_the_other_candidates_have_grade_zero(tmp_path):
    collection = collected(tmp_path, grades_from=[1, 1], complete=True)
    lists = tmp_path / "bm25.parquet"
    freeze(collection, parse_first_stage({"kind": "bm25"}), lists)
    examples = training_examples(collection, lists)
    assert any(len(e.graded) > len(e.grades) for e in examples)
    for example in examples:
        expected = {c.passage.id: 0 for c in example.candidates}
        expected |= {p: 2 * (g > 0) for p, g in example.grades.items()}
        assert example.graded == expected


def test_a_collection_without_a_map_is_the_same_bytes_and_says_what_lacks(tmp_path):
    with_map = collected(tmp_path / "a", grades_from=[1, 1])
    without = collected(tmp_path / "b")
    assert with_map.hash == without.hash
    assert not without.has_grades
    with pytest.raises(ValueError, match=r"give its entry `grades_from: \[1, 2\]`"):
        without.graded({})
    lists = tmp_path / "bm25.parquet"
    freeze(without, parse_first_stage({"kind": "bm25"}), lists)
    assert training_examples(without, lists)[0].graded == {}


def suite(tmp_path, kind, **more):
    path = write_beir(tmp_path / "beir")
    entry = {"kind": "beir", "path": str(path), "train": None, **more}
    return {"name": "judged", "collections": ["mine"], "systems": ["judge"],
            "define": {"collections": {"mine": entry}, "systems": {"judge": {"kind": kind}}}}  # fmt: skip


def test_a_suite_with_a_judge_asks_for_the_map_before_anything_runs(tmp_path):
    judge = "tests.test_grades:Judge"
    with pytest.raises(ConfigError, match="'mine' does not say how its grades map to the three"):
        load_suite(suite(tmp_path / "a", judge))
    assert load_suite(suite(tmp_path / "b", judge, grades_from=[1, 1])).judges == ["judge"]
    assert load_suite(suite(tmp_path / "c", "first_stage")).judges == []
    with pytest.raises(ConfigError, match="gives 5 grades; judgments are mapped to 3 grades"):
        load_suite(suite(tmp_path / "d", "tests.test_grades:FiveGrades", grades_from=[1, 1]))


def test_a_map_goes_through_yaml_and_json(tmp_path):
    entry = yaml.safe_load("{kind: beir, path: x, grades_from: [1, 2]}")
    spec = parse_collection(entry)
    assert parse_collection(json.loads(spec.model_dump_json())).grades_from == (1, 2)
