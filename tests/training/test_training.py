import math

import pytest
import torch

from resrank.model.options import ResRankOptions
from resrank.records import Candidate, Passage, Query, TrainingExample
from resrank.reranker import CachesPassages
from resrank.system import ResRankSystem
from resrank.training.losses import info_nce, ranknet
from resrank.training.options import ResRankTraining
from resrank.training.schedule import linear


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


def examples():
    words = ["array", "graph", "matrix", "sample"]
    passages = [Passage(f"p{i}", f"about the {w}") for i, w in enumerate(words)]
    listed = [Candidate(p, 0.0) for p in passages]
    return [
        TrainingExample(Query(f"q{i}", f"find {w}"), listed, {f"p{i}": 1}, [passages[i]])
        for i, w in enumerate(words)
    ]


OPTIONS = {"encoder": {"dtype": "float32"}, "reranker": {"layers": 1, "heads": 2}}


def train(tmp_path, name, seed=1, **training):
    losses = []
    ResRankSystem.train(
        ResRankOptions.model_validate(OPTIONS),
        ResRankTraining(epochs=40, batch_queries=2, learning_rate=1e-3, **training),
        examples(), [], tmp_path / name, seed, tmp_path / "store",
        lambda row: losses.append(row["loss"]),
    )  # fmt: skip
    return losses


def test_training_learns_repeats_itself_and_is_loadable(tmp_path):
    losses = train(tmp_path, "a")
    assert sum(losses[-4:]) < 0.5 * sum(losses[:4])
    assert train(tmp_path, "b") == losses
    assert train(tmp_path, "c", seed=2) != losses
    one = tmp_path / "a" / "reranker" / "model.safetensors"
    assert one.read_bytes() == (tmp_path / "b" / "reranker" / "model.safetensors").read_bytes()
    system = ResRankSystem.load(ResRankOptions.model_validate(OPTIONS), tmp_path / "a")
    assert isinstance(system, CachesPassages)
    for example in examples():
        ranking = system.rerank(example.query, example.candidates)
        assert ranking.passage_ids[0] == example.positives[0].id
        usage = ranking.usage
        assert (usage.generated_tokens, usage.model_calls, usage.embedding_slots) == (0, 1, 4)


def test_lists_without_a_relevant_passage_are_refused_when_nothing_is_left(tmp_path):
    with pytest.raises(ValueError, match="no training query has a relevant passage"):
        ResRankSystem.train(
            ResRankOptions.model_validate(OPTIONS), ResRankTraining(),
            [TrainingExample(e.query, e.candidates, {}, []) for e in examples()], [],
            tmp_path / "x", 1, tmp_path / "store",
        )  # fmt: skip
    assert not (tmp_path / "x").exists()
