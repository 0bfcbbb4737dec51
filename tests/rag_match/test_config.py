"""The shipped configurations match the docs and run on tiny shapes."""

import json

import pytest

from baselines.rag_match import training
from baselines.rag_match.options import JudgeOptions, JudgeTraining
from baselines.rag_match.teacher import RuleTeacher
from resrank.registry import resolve
from resrank.reranker import TrainingJob
from resrank.reranker_entry import training_of
from resrank.suite.library import library
from resrank.suite.load import load_suite
from tests.conftest import ROOT
from tests.rag_match.examples import examples
from tests.shapes import save_causal

STAGES = ("knowledge", "alignment", "calibration")


def test_the_ablations_stages_match_their_names():
    systems = load_suite(ROOT / "config" / "rag_match.yaml").systems
    made = {
        name: JudgeTraining.model_validate(spec.training)
        for name, spec in systems.items()
        if spec.kind == "rag_match" and spec.training is not None and name != "rag_match_8b"
    }
    kept = {
        name: [stage for stage in STAGES if dict(given)[stage] is not None]
        for name, given in made.items()
    }
    assert kept["stages_1_2_3"] == kept["stages_1_3"] == list(STAGES)
    assert kept["stage_1"] == ["knowledge"]
    assert kept["stages_1_2"] == ["knowledge", "alignment"]
    assert kept["stages_2_3"] == ["alignment", "calibration"]
    assert kept["label_only"] == ["alignment"]
    without = {name for name in made if made[name].alignment and made[name].alignment.traced == 0}
    assert without == {"stages_1_3", "label_only"}
    options = [JudgeOptions.model_validate(systems[name].options) for name in kept]
    assert len({o.llm.model_dump_json() for o in options}) == 1  # models of one size


def test_the_kind_gives_three_grades_and_needs_no_endpoint():
    assert resolve("rag_match").grades == 3
    assert not library().systems["rag_match_8b"].typed_options.asks_endpoint


def test_training_files_are_listed(tmp_path):
    (tmp_path / "t.jsonl").touch()
    replay = {"kind": "llm", "llm": {"kind": "replay", "transcript": str(tmp_path / "t.jsonl")}}
    given = {
        "synthesiser": replay, "alignment": {"teacher": replay},
        "knowledge": {"queries": str(tmp_path / "more.jsonl")},
    }  # fmt: skip
    named = training_of("rag_match", given).files
    assert [path.name for path in named] == ["more.jsonl", "t.jsonl", "t.jsonl"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"alignment": {"teacher": {"kind": "oracle"}}}, "'rules', 'llm'"),
        ({"alignment": {"pairs": 0}}, "greater than or equal to 1"),
        ({"calibration": {"label_on": "none"}}, "'errors' or 'all'"),
        ({"stages": 3}, "unknown key stages; known: alignment"),
    ],
)
def test_an_error_about_bad_options_lists_the_allowed_values(given, message):
    with pytest.raises(ValueError, match=message):
        JudgeTraining.model_validate(given)


def test_the_8b_configuration_trains_a_tiny_model_of_its_shape(tmp_path, monkeypatch):
    """Only its model, teacher and synthesiser are replaced: a tiny Qwen3, rules, extracts."""
    spec = library().systems["rag_match_8b"]
    folder = save_causal(tmp_path / "tiny", "qwen3")
    llm = spec.options["llm"] | {"model": folder, "revision": None, "context": 600}
    options = JudgeOptions.model_validate(spec.options | {"llm": llm, "max_new_tokens": 16})
    monkeypatch.setattr(training, "_teacher", lambda stage, out: RuleTeacher())
    monkeypatch.setattr(
        training, "_synthesiser", lambda given, out: training.ExtractiveSynthesiser(20)
    )
    made = JudgeTraining.model_validate(spec.training)
    assert made.lora is not None
    assert made.gradient_checkpointing
    rows = []
    job = TrainingJob(tmp_path / "store", tmp_path / "checkpoints", "key", rows.append, seed=1)
    training.train_stages(options, made, examples(6), tmp_path / "out", job)
    assert {row["phase"] for row in rows} >= {"knowledge", "alignment"}
    about = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert set(about) == {"seed", "training", *STAGES}
