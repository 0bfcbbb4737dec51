"""Training on a collection's own text."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from resrank.collections.counting import Sizes
from resrank.evaluation.candidate_set import CandidateSet
from resrank.evaluation.leak_auditor import LeakAuditor
from resrank.evaluation.seen_collection import SeenCollection, merged
from resrank.io.collection import Collection
from resrank.io.yaml import ConfigError
from resrank.jobs.encode import encode
from resrank.jobs.from_suite import SuiteJobs
from resrank.jobs.train import train
from resrank.jobs.training_sources import TrainingSource, own_text_of
from resrank.reporting.plan.needs import number_of_queries
from resrank.reranker import TrainingData, TrainingJob
from resrank.resrank_reranker import ResRankSystem
from resrank.suite.load import load_suite
from resrank.training.options import EncoderTraining, ResRankTraining, TrainingStage
from resrank.training.own_text import own_text
from tests.conftest import write_beir
from tests.entries import parse_collection, parse_first_stage
from tests.job_helpers import with_candidates
from tests.shapes import save_causal
from tests.training.test_training import tiny, weights

WORDS = ["array", "graph", "matrix", "sample", "tensor", "queue"]
TEXTS = {
    f"p{i}": f"How to sort one {word}. To sort it, the {word} is read once, then each part of the {word} is "
    "compared with the next."
    for i, word in enumerate(WORDS)
}
OWN_TEXT = {"queries": "own_text", "max_queries": 4, "batch_queries": 2}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return save_causal(tmp_path_factory.mktemp("tiny") / "encoder", "qwen3", ends=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, encoder):
    """A suite over a collection without a train split, with its candidates."""
    folder = tmp_path_factory.mktemp("suite")
    write_beir(folder / "beir", TEXTS, {"q": "sort a graph"}, {"test": [("q", "p1", 1)]})
    options = {"model": encoder, "dtype": "float32"}
    systems = {
        "bm25": {"kind": "first_stage"},
        "x": {"kind": "bi_encoder", "options": options, "training": OWN_TEXT, "trained_on": "mine"},
        "aligned": {
            "kind": "resrank",
            "options": tiny(encoder).model_dump(mode="json"),
            "training": {"stages": [{**OWN_TEXT, "teacher": "encoder", "order": "shuffled"}]},
            "trained_on": "mine",
        },
    }
    return with_candidates(folder, systems, untrained=False)


@pytest.fixture(scope="module")
def collection(folder):
    return Collection(folder / "results/s/collections/mine")


@pytest.fixture(scope="module")
def drawn(collection):
    return own_text(collection.passages, 4)


def test_examples_pair_a_start_with_the_rest_of_its_passage(drawn):
    assert len(drawn.examples) == drawn.counts["pseudo_queries"] == 4
    for example in drawn.examples:
        (positive,) = example.positives
        assert f"{example.query.text} {positive.text}" == TEXTS[positive.id]
        assert example.grades == {positive.id: 1}
        assert example.candidates[0].passage == positive
        for candidate in example.candidates:  # a missing start does not tell the relevant passage
            assert candidate.passage.text.startswith("To sort it")


def test_a_mixture_draws_from_each_collection(collection):
    stage = parse_first_stage({"kind": "bm25", "analyser": "unicode", "depth": 2})
    sources = [
        TrainingSource(name=name, collection=collection, candidates=Path("none"), weight=weight,
                       instruction=f"Search {name}.", stage=stage)
        for name, weight in (("a", 1.0), ("b", 3.0))
    ]  # fmt: skip
    both = own_text_of(sources, 4)
    assert {name: counts["pseudo_queries"] for name, counts in both.counts.items()} == {
        "a": 4, "b": 4,
    }  # fmt: skip
    last = both.examples[-1]
    assert (last.collection, last.weight, last.query.instruction) == ("b", 3.0, "Search b.")
    assert last.query.id.startswith("b/own_text:")
    assert last.id_in_collection.startswith("own_text:")
    assert len(last.candidates) == len(TEXTS)
    (alone,) = own_text_of(sources[:1], 1).examples
    assert (alone.collection, alone.query.instruction) == ("a", "")
    assert own_text_of(sources, 0) == ([], {})


def test_passages_without_two_halves_are_an_error(tmp_path):
    beir = write_beir(tmp_path / "b", {"p": "Too short."}, {"q": "x"}, {"test": [("q", "p", 1)]})
    parse_collection({"kind": "beir", "path": str(beir)}).collect(tmp_path / "c")
    with pytest.raises(ValueError, match=r"none of 1 passages gives a pseudo-query.*12 words"):
        own_text(Collection(tmp_path / "c").passages, 4)


def test_a_stage_on_own_text_comes_before_one_on_labels(drawn, tmp_path, encoder):
    data = TrainingData(drawn.examples[:2], own_text=drawn.examples)
    stages = [OWN_TEXT, {"batch_queries": 2}]
    rows = []
    job = TrainingJob(tmp_path / "store", tmp_path / "state", "key", rows.append, seed=1)
    training = ResRankTraining.model_validate({"stages": stages})
    ResRankSystem.train(tiny(encoder), training, data, tmp_path / "m", job)
    assert [row["phase"] for row in rows] == ["stage 1", "stage 1", "stage 2"]
    about = json.loads((tmp_path / "m" / "resrank.json").read_text())
    assert [stage["queries_used"] for stage in about["provenance"]["stages"]] == [4, 2]
    # the shared store holds what every job embeds in the same batches
    assert (tmp_path / "state" / "own_text").is_dir()
    assert (tmp_path / "store").is_dir()


def test_a_collection_without_a_train_split_is_trained_on(folder, collection, monkeypatch):
    monkeypatch.chdir(folder)
    jobs = SuiteJobs(folder / "suite.yaml")
    assert jobs.plan.learners("mine") == []
    train(jobs.train("x", 1))
    manifest = json.loads((folder / jobs.plan.model("x", 1)[0]).read_text())
    assert manifest["own_text"] == {
        "pseudo_queries": 4, "passages_too_short": 0, "pseudo_queries_too_common": 0,
    }  # fmt: skip
    (read,) = jobs.plan.read_in_training("mine", "bm25")["x"]
    assert read == ("mine", False, 4)
    assert jobs.plan.learned_from("mine", "bm25")["x"] == [jobs.plan.collection("mine")]


def test_a_frozen_encoder_needs_no_train_query_either(folder, monkeypatch):
    monkeypatch.chdir(folder)
    jobs = SuiteJobs(folder / "suite.yaml")
    encode(jobs.encode("mine", jobs.plan.encoder_name("aligned", 1)))
    job = jobs.train("aligned", 1)
    train(job)
    manifest = json.loads((folder / jobs.plan.model("aligned", 1)[0]).read_text())
    assert manifest["own_text"]["pseudo_queries"] == 4
    assert 0 < manifest["first_step"]["common_closing"] <= 1
    assert not job.checkpoints.exists()


def test_a_killed_stage_on_own_text_resumes_to_the_same_weights(
    drawn, tmp_path, encoder, monkeypatch
):
    for name in ("SECONDS", "PAUSE"):
        monkeypatch.setattr(f"resrank.training.checkpoints.Checkpoints.{name}", 0.0)
    stages = [{**OWN_TEXT, "teacher": "encoder", "epochs": 2}, {"batch_queries": 2}]
    training = ResRankTraining.model_validate({"stages": stages})
    data = TrainingData(drawn.examples[:2], own_text=drawn.examples)
    steps = []

    def run(name, on_step):
        state = TrainingJob(tmp_path / "store", tmp_path / f"{name}.state", "key", on_step, seed=1)
        ResRankSystem.train(tiny(encoder), training, data, tmp_path / name, state)

    def kill(row):
        steps.append(row)
        if len(steps) == 3:
            raise KeyboardInterrupt

    run("whole", None)
    with pytest.raises(KeyboardInterrupt):
        run("cut", kill)
    rest = []
    run("cut", rest.append)
    assert [row["phase"] for row in rest] == ["stage 1", "stage 2"]
    assert weights(tmp_path / "cut") == weights(tmp_path / "whole")


def test_the_leak_audit_counts_unlabelled_text_beside_labels(folder, collection):
    read = [SeenCollection(collection, labels=False, pseudo_queries=n) for n in (1, len(TEXTS))]
    lists = folder / "results/s/candidates/mine/bm25.parquet"
    auditor = LeakAuditor(CandidateSet(collection, lists, 1), {"few": read[:1], "all": read[1:]})
    run = {"q": {"p1": 1.0}}
    every = auditor.audit("all", run)
    assert every["unlabelled_overlap"] == 1
    assert every["overlap"] == 0
    assert every["queries_without_overlap"] == 1
    assert every["trained_on"] == "mine (own text)"
    assert auditor.audit("few", run)["unlabelled_overlap"] == 0
    untrained = auditor.audit("bm25", run)
    assert untrained["trained_on"] == "nothing (held against mine (own text))"
    assert untrained["unlabelled_overlap"] == 1


def test_what_several_trainings_read_of_a_collection_is_one_entry(collection):
    parts = [SeenCollection(collection, False, 3), SeenCollection(collection, True, 0)]
    (both,) = merged(parts)
    assert both == (collection, True, 3)
    assert both.name == "mine (labels and own text)"
    assert parts[1].name == "mine"


def test_without_own_text_an_audit_has_no_such_field(folder, collection):
    lists = folder / "results/s/candidates/mine/bm25.parquet"
    auditor = LeakAuditor(CandidateSet(collection, lists, 1), {"x": [SeenCollection(collection)]})
    audit = auditor.audit("x", {"q": {"p1": 1.0}})
    assert "unlabelled_overlap" not in audit
    assert audit["trained_on"] == "mine"


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"queries": "own_text"}, "needs `max_queries`"),
        ({**OWN_TEXT, "share": (0, 0.5)}, r"`share: \[0.0, 0.5\]` selects labelled queries"),
        ({**OWN_TEXT, "teacher": "system:x"}, "teacher 'system:x' ranks labelled queries"),
        ({**OWN_TEXT, "negatives": "sampled", "negative_filter": {"teacher": "f"}}, "teacher 'f'"),
    ],
)
def test_options_that_do_not_go_with_own_text(stage, message):
    with pytest.raises(ValidationError, match=message):
        TrainingStage.model_validate(stage)


def test_a_training_with_labels_needs_a_train_split(folder, monkeypatch):
    monkeypatch.chdir(folder)
    stages = [OWN_TEXT, {}]
    define = {
        "collections": {"mine": {"kind": "beir", "path": "beir"}},
        "systems": {"x": {"kind": "resrank", "training": {"stages": stages}, "trained_on": "mine"}},
    }
    suite = {"name": "s", "collections": ["mine"], "systems": ["x"], "define": define}
    with pytest.raises(ConfigError, match="no train split.*queries: own_text"):
        load_suite(suite)
    del stages[1]
    define["systems"]["x"]["trained_on"] = "auto"
    resolved = load_suite(suite)
    assert [part.collection for part in resolved.read_in_training("x")] == ["mine"]


def test_a_plan_counts_pseudo_queries_up_to_the_number_of_passages():
    training = EncoderTraining(queries="own_text", max_queries=100)
    (work,) = training.stage_work
    assert number_of_queries(work, [Sizes(passages=1000, train_queries=0)]) == 100
    assert number_of_queries(work, [Sizes(passages=60, train_queries=0)]) == 60
    assert (
        number_of_queries(work._replace(queries="labelled"), [Sizes(passages=60, train_queries=7)])
        == 7
    )
