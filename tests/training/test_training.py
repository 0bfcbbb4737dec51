"""Training: losses, gradients, resuming, early stopping, logs."""

import json
import math
from types import SimpleNamespace

import pytest
import torch

from baselines.bi_encoder import BiEncoder
from resrank.model.device import device_name, pick_device
from resrank.model.encoder import Encoder
from resrank.model.options import EncoderOptions, ResRankOptions
from resrank.records import Candidate, Passage, Query, TrainingExample
from resrank.reranker import TrainingData, TrainingJob
from resrank.resrank_reranker import ResRankSystem
from resrank.training.checkpoints import Checkpoints
from resrank.training.gradient_cache import Embedded
from resrank.training.loop import TrainingPhase, fit
from resrank.training.losses import info_nce, ranknet
from resrank.training.mixture import share
from resrank.training.options import EncoderTraining, ResRankTraining
from resrank.training.schedule import linear
from tests.conftest import ROOT
from tests.shapes import save_causal


def test_ranknet_by_hand():
    scores = torch.tensor([1.0, 0.0, 2.0], requires_grad=True)
    loss = ranknet(scores, torch.tensor([1, 0, 0]))
    wanted = (math.log1p(math.exp(-1)) + math.log1p(math.exp(1))) / 2
    assert loss.item() == pytest.approx(wanted)
    loss.backward()
    assert scores.grad[0] < 0 < scores.grad[2]
    assert ranknet(scores, torch.tensor([0, 0, 0])).item() == 0


def test_info_nce_by_hand():
    queries = torch.eye(2)
    passages = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    positive = torch.tensor([[True, False, False], [False, True, True]])
    first = math.log(math.exp(2) + math.exp(0) + math.exp(1.2)) - 2
    second = [math.log(math.exp(s) + math.exp(0)) - s for s in (2.0, 1.6)]
    wanted = (first + sum(second) / 2) / 2
    assert info_nce(queries, passages, positive, 0.5).item() == pytest.approx(wanted)


def test_schedule_rises_then_falls():
    factor = linear(100, 0.1)
    assert [factor(0), factor(9), factor(99)] == pytest.approx([0.1, 1.0, 0.1], abs=0.02)


def test_cached_gradients_equal_the_gradients(encoder_options):
    encoder = Encoder.from_options(encoder_options)
    ids = encoder.tokenize(["sort an array", "draw a histogram of values", "x"]).ids
    gradients = []
    for chunk in (None, 6):
        encoder.zero_grad()
        texts = Embedded(encoder, ids, chunk)
        assert texts.cached == (chunk is not None)
        (texts.vectors[0] @ texts.vectors[1] + texts.vectors[2].sum()).backward()
        texts.backward()
        gradients.append(
            {n: p.grad.clone() for n, p in encoder.named_parameters() if p.grad is not None}
        )
    assert gradients[0].keys() == gradients[1].keys()
    for name, grad in gradients[0].items():
        torch.testing.assert_close(grad, gradients[1][name], atol=1e-6, rtol=1e-4)


WORDS = ["array", "graph", "matrix", "sample"]


def examples():
    passages = [Passage(f"p{i}", f"about the {w}") for i, w in enumerate(WORDS)]
    listed = [Candidate(p, 0.0) for p in passages]
    return [
        TrainingExample(Query(f"q{i}", f"find {w}"), listed, {f"p{i}": 1}, [passages[i]])
        for i, w in enumerate(WORDS)
    ]


OPTIONS = ResRankOptions.model_validate(
    {"encoder": {"dtype": "float32"}, "reranker": {"layers": 1, "heads": 2}}
)
FROZEN = {"epochs": 40, "batch_queries": 2, "learning_rate": 1e-3}
SHORT = {**FROZEN, "epochs": 2}
JOINT = {"epochs": 3, "batch_queries": 2, "train_encoder": True, "list_length": 3,
         "negatives": "sampled"}  # fmt: skip


def tiny(encoder: str) -> ResRankOptions:
    """Return options of a model whose training is saved quickly, over an encoder's folder."""
    reranker = {"layers": 1, "heads": 2, "hidden": 64, "intermediate": 64}
    return ResRankOptions.model_validate(
        {"encoder": {"model": encoder, "dtype": "float32"}, "reranker": reranker}
    )


def train(tmp_path, name, stages=(FROZEN,), seed=1, on_step=None, options=OPTIONS):
    return train_with(tmp_path, name, {"stages": stages}, seed, on_step, options)


def train_with(tmp_path, name, training, seed=1, on_step=None, options=OPTIONS):
    losses = []
    ResRankSystem.train(
        options, ResRankTraining.model_validate(training), TrainingData(examples()), tmp_path / name,
        TrainingJob(tmp_path / "store", tmp_path / f"{name}.state", "key", on_step or losses.append, seed=seed),
    )  # fmt: skip
    return losses


def weights(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.safetensors")}


def test_training_repeats_itself(tmp_path):
    first, again, other = (
        [row["ranking"] for row in train(tmp_path, name, (SHORT,), seed)]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert again == first != other
    assert weights(tmp_path / "a") == weights(tmp_path / "b")


def test_training_learns_and_is_loadable(tmp_path):
    losses = [row["ranking"] for row in train(tmp_path, "a")]
    assert sum(losses[-4:]) < 0.5 * sum(losses[:4])
    system = ResRankSystem.load(OPTIONS, tmp_path / "a")
    assert system.caches_passages
    for example in examples():
        ranking = system.rerank(example.query, example.candidates)
        assert ranking.passage_ids[0] == example.positives[0].id
        usage = ranking.usage
        assert (usage.generated_tokens, usage.model_calls, usage.embedding_slots) == (0, 1, 4)


@pytest.mark.parametrize(
    ("mixed", "formats"), [(False, "float32"), (True, "bfloat16, weights float32")]
)
def test_a_log_row_has_the_steps_device_and_number_formats(tmp_path, mixed, formats):
    rows = train_with(tmp_path, "m", {"stages": (SHORT,), "autocast": mixed})
    where = {"batch": 2, "unit": "queries", "dtype": formats}
    where["device"] = device_name(pick_device())
    assert [{name: row[name] for name in where} for row in rows] == [where] * 4


@pytest.mark.parametrize("chunk", [None, 8])
def test_joint_training_moves_the_encoder_by_both_losses(tmp_path, chunk):
    rows = train_with(tmp_path, "joint", {"stages": (JOINT, SHORT), "chunk_tokens": chunk})
    assert rows[0].keys() >= {"retrieval", "ranking"}
    assert rows[-1]["phase"] == "stage 2"
    system = ResRankSystem.load(OPTIONS, tmp_path / "joint")
    before = Encoder.from_options(OPTIONS.encoder).embed(WORDS)
    assert not torch.allclose(system.model.encoder.embed(WORDS), before, atol=1e-3)


def test_gradient_of_the_ranking_loss_reaches_the_encoder(tmp_path):
    train(tmp_path, "ranking", ({**JOINT, "retrieval_weight": 0},))
    system = ResRankSystem.load(OPTIONS, tmp_path / "ranking")
    before = Encoder.from_options(OPTIONS.encoder).embed(WORDS)
    assert not torch.allclose(system.model.encoder.embed(WORDS), before, atol=1e-4)


class Killed(Exception):
    pass


TWO_STAGES = (JOINT, SHORT)


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    return tiny(save_causal(tmp_path_factory.mktemp("tiny") / "encoder", "qwen3", ends=True))


@pytest.fixture(scope="module")
def whole(options, tmp_path_factory):
    """Return the weights of a training that was not killed."""
    folder = tmp_path_factory.mktemp("whole")
    train(folder, "whole", TWO_STAGES, options=options)
    return weights(folder / "whole")


@pytest.mark.parametrize("at", [1, 4, 6, 8])
def test_a_killed_run_resumes_to_the_same_weights(options, whole, tmp_path, monkeypatch, at):
    for name in ("SECONDS", "PAUSE"):
        monkeypatch.setattr(f"resrank.training.checkpoints.Checkpoints.{name}", 0.0)
    steps = []

    def kill(row):
        steps.append(row)
        if len(steps) == at:
            raise Killed

    with pytest.raises(Killed):
        train(tmp_path, "cut", TWO_STAGES, on_step=kill, options=options)
    rest = train(tmp_path, "cut", TWO_STAGES, options=options)
    assert len(rest) == 10 - at
    assert weights(tmp_path / "cut") == whole


def test_training_without_a_relevant_passage_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no training query has a relevant passage"):
        ResRankSystem.train(
            OPTIONS, ResRankTraining(),
            TrainingData([TrainingExample(e.query, e.candidates, {}, []) for e in examples()]),
            tmp_path / "x", TrainingJob(tmp_path / "store", tmp_path / "state", seed=1),
        )  # fmt: skip
    assert not (tmp_path / "x").exists()


def test_a_loss_that_is_not_finite_is_an_error_with_its_queries(tmp_path):
    with pytest.raises(
        FloatingPointError, match=r"stage 1: not finite: .* at step \d+ \(queries q"
    ):
        train(tmp_path, "x", ({**FROZEN, "learning_rate": 1e30},))


def test_a_bi_encoder_is_trained_saved_and_loaded(tmp_path):
    options, losses = EncoderOptions(dtype="float32"), []
    BiEncoder.train(
        options, EncoderTraining(epochs=6, batch_queries=4, learning_rate=1e-4), TrainingData(examples()),
        tmp_path / "bi", TrainingJob(tmp_path / "s", tmp_path / "state", "", losses.append, seed=1),
    )  # fmt: skip
    assert losses[-1]["loss"] < losses[0]["loss"]
    system = BiEncoder.load(options, tmp_path / "bi")
    assert system.encoder.options.pooling == "mean"
    for example in examples():
        ranking = system.rerank(example.query, example.candidates)
        assert ranking.passage_ids[0] == example.positives[0].id


def test_early_stopping_keeps_the_best_epoch(tmp_path):
    scores = iter([0.3, 0.5, 0.4, 0.4, 0.9])
    kept = []

    def worth(rankings):
        kept.append([r.scores for r in rankings])
        return next(scores)

    stage = {**FROZEN, "epochs": 10, "dev_queries": 2, "patience": 2}
    rows = []
    ResRankSystem.train(
        OPTIONS, ResRankTraining(stages=[stage]), TrainingData(examples(), examples()), tmp_path / "m",
        TrainingJob(tmp_path / "store", tmp_path / "state", "", rows.append, worth, seed=1),
    )  # fmt: skip
    assert [row["dev_score"] for row in rows if "dev_score" in row] == [0.3, 0.5, 0.4, 0.4]
    assert len(rows) == 8  # two batches an epoch, four epochs
    system = ResRankSystem.load(OPTIONS, tmp_path / "m")
    rankings = {system.rerank(e.query, e.candidates).scores for e in examples()}
    assert all(any(row == pytest.approx(f, abs=1e-5) for f in rankings) for row in kept[1])


def test_shares_are_disjoint_and_cover_all():
    halves = [share(examples(), 0, 0.5), share(examples(), 0.5, 1)]
    ids = [{e.query.id for e in half} for half in halves]
    assert ids[0] | ids[1] == {"q0", "q1", "q2", "q3"}
    assert not ids[0] & ids[1]
    assert [len(half) for half in halves] == [2, 2]


def test_a_log_keeps_each_row_of_a_killed_job_once(tmp_path):
    from resrank.jobs.train import TrainingLog

    log = TrainingLog(tmp_path / "log", kept=True)
    for rows in ([1, 2, 3], [3, 4]):  # step 3 is done again after a kill
        with log as write:
            for step in rows:
                write({"phase": "stage 1", "step": step, "loss": step + len(rows)})
    with (tmp_path / "log").open("a") as file:
        file.write('{"phase": "sta')
    rows = [json.loads(line) for line in log.rows()]
    assert [(row["step"], row["loss"]) for row in rows] == [(1, 4), (2, 5), (3, 5), (4, 6)]


def test_a_training_depends_on_the_files_that_its_options_name(tmp_path, monkeypatch):
    from resrank.jobs import train
    from resrank.suite.schema import System

    prompt = tmp_path / "prompt.yaml"
    prompt.write_bytes((ROOT / "baselines" / "llm" / "prompts" / "short.yaml").read_bytes())
    llm = {"kind": "transformers", "model": {"layers": 1}}
    system = System(kind="rankgpt", options={"llm": llm, "prompt": str(prompt)}, training={})
    source = SimpleNamespace(
        name="c", collection=SimpleNamespace(hash="c"), candidates=tmp_path / "lists"
    )
    job = train.TrainJob(
        name="x", system=system, sources=[source],
        out=tmp_path / "out", seed=1, store=tmp_path, checkpoints=tmp_path,
    )  # fmt: skip
    assert job.training_inputs()[str(prompt)] == prompt
    keys = []
    for content in ("one", "another"):
        facts = {"model_files": {"m.gguf": content}}
        monkeypatch.setattr("resrank.jobs.inputs.model_file_facts", lambda _, facts=facts: facts)
        keys.append(train._key(job, {}))
    assert keys[0] != keys[1]


def test_a_teacher_with_sampled_negatives_is_an_error():
    with pytest.raises(ValueError, match="goes with `negatives: top`"):
        ResRankTraining.model_validate({"stages": [{"teacher": "t", "negatives": "sampled"}]})
    with pytest.raises(ValueError, match="cannot train token embeddings"):
        ResRankTraining.model_validate({"lora": {}, "train_token_embeddings": True})


def test_a_gradient_that_is_not_finite_stops_before_the_step(tmp_path):
    model = torch.nn.Linear(2, 1, bias=False)
    before = model.weight.detach().clone()

    def backward(batch):
        loss = torch.sqrt((0 * model.weight).sum())  # 0, its slope there is infinite
        loss.backward()
        return {"ranking": float(loss)}

    phase = TrainingPhase(
        "p", {"weight": 0.1}, 1, 0.0, lambda _: [["q1"]], backward, lambda b: b[0]
    )
    with pytest.raises(FloatingPointError, match=r"length of the gradient.*step 0.*q1"):
        fit(model, phase, Checkpoints(tmp_path, "key"), None)
    assert torch.equal(model.weight, before)
    assert not list(tmp_path.iterdir())
