"""Training of larger models: adapters, accumulation, recomputation, teachers, processes.

None of them may change the losses beyond rounding.
"""

import json
import math
from pathlib import Path

import pytest
import torch

from resrank.io.text import DataError
from resrank.model.encoder import Encoder
from resrank.resrank_reranker import ResRankSystem, SavedResRank
from resrank.training.lists import usable
from resrank.training.options import ResRankTraining, TrainingStage
from resrank.training.teacher import taught_by
from tests.shapes import save_causal
from tests.training.processes import over_processes
from tests.training.test_training import (
    FROZEN,
    JOINT,
    OPTIONS,
    SHORT,
    WORDS,
    examples,
    tiny,
    train_with,
)

TWO = Path(__file__).parent / "two_processes.py"


def test_adapters_are_trained_and_merged(tmp_path):
    train_with(tmp_path, "lora", {"stages": (JOINT,), "lora": {"rank": 4}})
    names = [p.name for p in (tmp_path / "lora").rglob("*")]
    assert not [name for name in names if "adapter" in name]
    system = ResRankSystem.load(OPTIONS, tmp_path / "lora")
    assert not [n for n, _ in system.model.named_parameters() if "lora" in n]
    before = Encoder.from_options(OPTIONS.encoder)
    moved = system.model.encoder.embed(WORDS)
    assert not torch.allclose(moved, before.embed(WORDS), atol=1e-5)
    table = before.model.get_input_embeddings().weight
    assert torch.equal(system.model.encoder.model.get_input_embeddings().weight, table)


def test_recomputed_layers_give_the_same_losses(tmp_path, monkeypatch):
    calls = []
    inner = torch.utils.checkpoint.checkpoint
    monkeypatch.setattr(
        "torch.utils.checkpoint.checkpoint", lambda *a, **k: calls.append(1) or inner(*a, **k)
    )
    plain = train_with(tmp_path, "plain", {"stages": (JOINT,), "autocast": False})
    again = train_with(
        tmp_path, "again",
        {"stages": (JOINT,), "autocast": False, "gradient_checkpointing": True, "chunk_tokens": 16},
    )  # fmt: skip
    for one, other in zip(plain, again, strict=True):
        assert one["retrieval"] == pytest.approx(other["retrieval"], abs=1e-4)
        assert one["ranking"] == pytest.approx(other["ranking"], abs=1e-4)


def lengths_of_gradients(monkeypatch):
    """Record the norm of each step's gradient before it is clipped; AdamW would hide a factor."""
    seen = []

    def note(parameters, longest):
        seen.append(math.sqrt(sum(float(p.grad.norm()) ** 2 for p in parameters)))
        return seen[-1]

    monkeypatch.setattr("resrank.training.loop.clip_gradients", note)
    return seen


def test_accumulated_batches_equal_one_batch(tmp_path, monkeypatch):
    once = {**FROZEN, "epochs": 3, "order": "first_stage", "batch_queries": 4}
    halves = {**once, "batch_queries": 2, "accumulate": 2}
    runs = []
    for name, stage in (("a", once), ("b", halves)):
        seen = lengths_of_gradients(monkeypatch)
        rows = train_with(tmp_path, name, {"stages": (stage,), "autocast": False})
        runs.append([*(row["ranking"] for row in rows), *seen])
        assert {(row["batch"], row["unit"]) for row in rows} == {(4, "queries")}
    assert len(runs[0]) == 6
    assert runs[1] == pytest.approx(runs[0], rel=1e-3)


def orderings(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_teachers_ordering_grades_the_list(tmp_path):
    path = orderings(tmp_path / "t.jsonl", {"query_id": "q1", "ranking": ["p3", "p1", "p0"]},
                     {"query_id": "unknown", "ranking": ["p0"]})  # fmt: skip
    (taught,) = taught_by(examples(), path)
    assert taught.query.id == "q1"
    assert dict(taught.grades) == {"p3": 3, "p1": 2, "p0": 1}
    assert [p.id for p in taught.positives] == ["p1"]
    assert usable([taught], TrainingStage()) == [taught]
    rows = train_with(tmp_path, "taught", {"stages": ({**FROZEN, "teacher": str(path)},)})
    assert len(rows) == 40
    system = ResRankSystem.load(OPTIONS, tmp_path / "taught")
    assert system.rerank(taught.query, taught.candidates).passage_ids[:3] == ("p3", "p1", "p0")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"query_id": "q1"}], r"t\.jsonl:1: field 'ranking' is null; a list of passage ids"),
        ([{"query_id": "q1", "ranking": ["p1", "p1"]}], r"t\.jsonl:1: passage 'p1' occurs twice"),
        ([{"query_id": "q1", "ranking": []}] * 2, r"t\.jsonl:2: a second ranking of query 'q1'"),
        ([{"query_id": "z", "ranking": ["p1"]}], r"orders none of the 4 training queries; .*'z'"),
    ],
)
def test_a_malformed_ordering_is_named(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        taught_by(examples(), orderings(tmp_path / "t.jsonl", *rows))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return save_causal(tmp_path_factory.mktemp("tiny") / "encoder", "qwen3", ends=True)


@pytest.fixture(scope="module")
def one_process(encoder, tmp_path_factory):
    return run_processes(tmp_path_factory.mktemp("one"), encoder, 1, sharded=False)


@pytest.fixture(scope="module")
def two_processes(encoder, tmp_path_factory):
    return run_processes(tmp_path_factory.mktemp("ddp"), encoder, 2, sharded=False)


@pytest.fixture(scope="module")
def two_sharded(encoder, tmp_path_factory):
    return run_processes(tmp_path_factory.mktemp("fsdp"), encoder, 2, sharded=True)


def launch(folder, encoder, count, sharded, *more):
    fsdp = {"ACCELERATE_USE_FSDP": str(sharded).lower()}
    return over_processes(count, TWO, str(folder), encoder, *more, **fsdp)


def run_processes(folder, encoder, count, sharded):
    done = launch(folder, encoder, count, sharded)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return rows, ResRankSystem.load(tiny(encoder), folder / "model").model


@pytest.mark.parametrize("run", ["two_processes", "two_sharded"])
def test_two_processes_take_the_steps_of_one(request, encoder, one_process, run):
    rows, model = request.getfixturevalue(run)
    wanted, alone = one_process
    assert len(rows) == len(wanted) == 9
    for one, other in zip(wanted, rows, strict=True):
        assert one.keys() == other.keys()
        for name in {"retrieval", "ranking", "dev_score"} & one.keys():
            assert other[name] == pytest.approx(one[name], abs=1e-4), (name, one, other)
        assert other["gradient"] == pytest.approx(one["gradient"], rel=1e-3)
    start, end, other = (
        torch.cat([p.detach().flatten() for p in made.parameters()])
        for made in (Encoder.from_options(tiny(encoder).encoder), alone.encoder, model.encoder)
    )
    assert (other - end).norm() < 0.1 * (end - start).norm()


@pytest.mark.parametrize("killed_after", [1, 6])
def test_sharded_processes_that_were_killed_resume(tmp_path, encoder, two_sharded, killed_after):
    whole_rows, whole = two_sharded
    assert launch(tmp_path, encoder, 2, True, str(killed_after)).returncode != 0
    rows, resumed = run_processes(tmp_path, encoder, 2, sharded=True)
    assert rows == whole_rows[killed_after:]
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_saved_model_can_be_served_with_other_options(tmp_path):
    train_with(tmp_path, "m", {"stages": (SHORT,)})
    whole = ResRankSystem.load(OPTIONS, tmp_path / "m")
    example = examples()[0]
    for change in ({}, {"store_dtype": "bfloat16"}, {"window": {"size": 3, "step": 1}}):
        options = SavedResRank.Options.model_validate({"model": str(tmp_path / "m"), **change})
        served = SavedResRank.load(options)
        served.prepare([c.passage for c in example.candidates], tmp_path / "store")
        ranking = served.rerank(example.query, example.candidates)
        assert (
            ranking.passage_ids[0] == whole.rerank(example.query, example.candidates).passage_ids[0]
        )
        assert ranking.usage.model_calls == (2 if "window" in change else 1)
        assert served.embeddings.store.codec.dtype == change.get("store_dtype", "float32")


def test_training_options_list_their_files():
    stages = [{"teacher": "a.jsonl"}, {}]
    assert ResRankTraining.model_validate({"stages": stages}).files == [Path("a.jsonl")]
