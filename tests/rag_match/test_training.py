"""A tiny model learns the three stages; each stage's counts are written beside it."""

import dataclasses
import json
import math

import pytest
import torch

from baselines.llm.backends.transformers import TransformersModel
from baselines.rag_match import calibration, training
from baselines.rag_match.options import JudgeOptions, JudgeTraining
from baselines.rag_match.preferences import Trajectory
from baselines.rag_match.reranker import RagMatch
from baselines.rag_match.teacher import DocumentedPair, RuleTeacher
from baselines.rag_match.trace import Defect, Malformed
from resrank.reranker import TrainingData, TrainingJob
from tests.conftest import ROOT
from tests.rag_match.examples import examples
from tests.shapes import save_causal
from tests.training.processes import over_processes
from tests.training.steps import assert_same_step

RATE = {"learning_rate": 3e-3}
STAGES = {
    "document_words": 6,
    "knowledge": {"batch_queries": 4, "epochs": 2, **RATE},
    "alignment": {"share": [0, 0.7], "epochs": 2, "batch_pairs": 8, "pairs": 3, **RATE},
    "calibration": {"batch_pairs": 4, "pairs": 3, "epochs": 3, "learning_rate": 1e-3},
}


@pytest.fixture(scope="module")
def llm(tmp_path_factory):
    folder = save_causal(tmp_path_factory.mktemp("lm") / "m", "qwen3")
    return {"kind": "transformers", "model": folder, "dtype": "float32"}


def options(llm) -> JudgeOptions:
    given = {"llm": llm, "instruction": "", "words": 8, "max_new_tokens": 8}
    return JudgeOptions.model_validate(given)


def trained(folder, llm, on_step=None, given=None, **more):
    """Train, and return log rows, provenance and weights."""
    rows = []
    job = TrainingJob(
        folder / "store", folder / "checkpoints", "key", on_step or rows.append, seed=1
    )
    made = JudgeTraining.model_validate(STAGES | more)
    RagMatch.train(options(llm), made, TrainingData(given or examples()), folder / "model", job)
    about = json.loads((folder / "model" / "provenance.json").read_text())
    return rows, about, weights(folder / "model", llm)


def weights(folder, llm):
    return TransformersModel(options(llm).llm.trained(folder)).model.state_dict()


def falls(rows, phase, name, to=0.9):
    values = [row[name] for row in rows if row["phase"] == phase]
    return sum(values[-2:]) < to * sum(values[:2])


def always(shift):
    """Return a stand-in for `trajectories`: the teacher's traces, their grades off by `shift`."""

    def trajectories(judge, pairs, *, traces):
        assert traces
        answers = []
        for trace in RuleTeacher()([DocumentedPair(pair, "") for pair in pairs]):
            grade = trace.grade + shift if trace.grade + shift in (0, 1, 2) else trace.grade
            wrong = trace.model_copy(update={"grade": grade})
            answers.append(Trajectory(wrong.text(), grade, wrong))
        return answers

    return trajectories


def test_every_stages_losses_fall_and_its_counts_are_written(llm, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "trajectories", always(+1))
    rows, about, _ = trained(tmp_path, llm)
    assert falls(rows, "knowledge", "document")
    assert falls(rows, "alignment", "trace")
    first = next(row for row in rows if row["phase"] == "calibration")
    assert first["preference"] == pytest.approx(
        math.log(2), abs=1e-3
    )  # The model is still its reference.
    assert falls(rows, "calibration", "preference")
    units = {row["phase"]: row["unit"] for row in rows}
    assert units == {"knowledge": "documents", "alignment": "pairs", "calibration": "pairs"}
    assert about["knowledge"] == {"documents": 12, "queries_without_evidence": 0}
    seen = about["alignment"]
    assert (seen["pairs"], seen["traces"]) == (24, 24)  # 8 of 12 queries, 3 pairs each
    assert seen["of_grade"] == {"0": 8, "1": 8, "2": 8}
    judged = about["calibration"]
    assert judged["judged"] == 12
    assert judged["one_above"] == judged["preferences"] == judged["learned"] > 0
    assert judged["one_above"] + judged["right"] == 12


def test_without_adjacent_errors_the_model_stays_as_it_is(llm, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(calibration, "trajectories", always(0))
    _, about, left = trained(tmp_path / "a", llm)
    _, _, without = trained(tmp_path / "b", llm, calibration=None)
    assert all(torch.equal(left[name], without[name]) for name in left)
    message = "stage three: no preference among 12 judged pairs (12 right, 0 wrong by two grades"
    assert message in about["calibration"]["left_alone"]
    assert message in capfd.readouterr().err


def test_malformed_and_disagreeing_traces_are_counted_and_their_grades_learned(
    llm, tmp_path, monkeypatch
):
    def teacher(stage, out):
        def write(pairs):
            traces = list(RuleTeacher()(pairs))
            traces[0] = Malformed(Defect.UNKNOWN_GRADE, "7")
            traces[1] = traces[1].model_copy(update={"grade": (traces[1].grade + 1) % 3})
            return traces

        return write

    monkeypatch.setattr(training, "_teacher", teacher)
    _, about, _ = trained(tmp_path, llm, knowledge=None, calibration=None)
    seen = about["alignment"]
    assert (seen["pairs"], seen["traces"], seen["malformed_traces"]) == (24, 22, 1)
    assert seen["defects"] == {"an unknown grade": 1}
    assert seen["traces_of_another_grade"] == 1


def test_labels_alone_are_learned_and_give_preferences_without_traces(llm, tmp_path):
    labels = STAGES["alignment"] | {"traced": 0}
    rows, about, _ = trained(tmp_path, llm, knowledge=None, alignment=labels)
    assert {row["phase"] for row in rows} <= {"alignment", "calibration"}
    assert "trace" not in rows[0]
    assert falls(rows, "alignment", "label")
    assert about["calibration"]["malformed"] == 0
    assert about["calibration"]["preferences"] == (
        about["calibration"]["one_above"] + about["calibration"]["one_below"]
    )


def test_a_resumed_training_ends_with_the_weights_of_an_uninterrupted_one(
    llm, tmp_path, monkeypatch
):
    monkeypatch.setattr(calibration, "trajectories", always(-1))
    _, _, wanted = trained(tmp_path / "whole", llm)

    def kill(row):
        if row["phase"] == "calibration" and row["step"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", llm, kill)
    monkeypatch.setattr(training, "write_documents", None)  # The documents are already written.
    rows, _, resumed = trained(tmp_path / "killed", llm)
    assert {row["phase"] for row in rows} == {"calibration"}
    assert all(torch.equal(resumed[name], wanted[name]) for name in wanted)


def test_adapters_are_trained_alone_with_layers_recomputed_and_merged(llm, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "trajectories", always(+1))
    before = TransformersModel(options(llm).llm).model.state_dict()
    faster = STAGES["alignment"] | {"learning_rate": 1e-2}
    more = {"lora": {"rank": 4}, "gradient_checkpointing": True, "alignment": faster}
    rows, _, after = trained(tmp_path, llm, knowledge=None, **more)
    assert falls(rows, "alignment", "label", 0.95)
    assert any(row["phase"] == "calibration" for row in rows)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all(".self_attn." in name or ".mlp." in name for name in moved)


def log_of(folder, llm, count):
    script = ROOT / "tests" / "rag_match" / "two_processes.py"
    done = over_processes(count, script, str(folder), json.dumps(llm))
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "log.json").read_text())


def test_two_processes_take_the_steps_of_one_and_count_the_same_errors(llm, tmp_path):
    alone, together = (log_of(tmp_path / str(n), llm, n) for n in (1, 2))
    assert alone["about"]["calibration"] == together["about"]["calibration"]
    assert alone["about"]["calibration"]["preferences"] > 0
    assert {row["phase"] for row in alone["rows"]} == {"knowledge", "alignment", "calibration"}
    for one, other in zip(alone["rows"], together["rows"], strict=True):
        assert "phase" in one
        assert_same_step(one, other, rel=1e-4, abs=1e-5)


def test_missing_evidence_and_missing_stages_are_errors(llm, tmp_path):
    given = [dataclasses.replace(e, candidates=[]) for e in examples()]
    with pytest.raises(ValueError, match="none of 12 queries has evidence to make a document of"):
        trained(tmp_path, llm, given=given)
    with pytest.raises(ValueError, match="no stage: give `knowledge` or `alignment`"):
        JudgeTraining.model_validate({"knowledge": None, "alignment": None, "calibration": None})
    with pytest.raises(ValueError, match="`calibration` needs a model that has learned to judge"):
        JudgeTraining.model_validate({"alignment": None})
