"""An untrained self starts from the very weights that its trained system starts from."""

from typing import Any

import pytest
import torch

from resrank.registry import resolve
from resrank.reranker import TrainingData, TrainingJob

ENCODER = {"dtype": "float32", "max_tokens": 16}
SHAPE = {"layers": 1, "heads": 2}
LLM = {"llm": {"kind": "transformers", "model": SHAPE, "dtype": "float32"}}
KINDS: dict[str, tuple[dict[str, Any], str]] = {
    "resrank": (
        {"encoder": ENCODER, "reranker": SHAPE, "reranker_dtype": "float32"},
        "resrank.training.resrank_loop.train_stages",
    ),
    "pe_rank": (
        {"encoder": ENCODER, "reranker": SHAPE, "reranker_dtype": "float32"},
        "baselines.pe_rank.training.train_lists",
    ),
    "cross_encoder": ({"dtype": "float32"}, "baselines.cross_encoder.training.train_pairs"),
    "first": (LLM, "baselines.llm.listwise_training._fit"),
    "rankgpt": (LLM, "baselines.llm.listwise_training._fit"),
}
"""Kind -> options with random weights, and the function that changes weights in training."""


def weights(reranker):
    """Return all weights of a reranker's model as one vector."""
    model = reranker.model
    module = model if isinstance(model, torch.nn.Module) else model.model
    return torch.cat([p.detach().float().flatten() for p in module.parameters()])


@pytest.mark.parametrize("kind", KINDS)
def test_start_and_training_make_the_same_random_weights(kind, tmp_path, monkeypatch):
    given, changes_weights = KINDS[kind]
    cls = resolve(kind)
    options = cls.Options.model_validate(given)
    monkeypatch.setattr(changes_weights, lambda *args, **named: {})
    job = TrainingJob(tmp_path / "store", tmp_path / "checkpoints", seed=3)
    cls.train(options, cls.Training(), TrainingData([]), tmp_path / "model", job)
    start = weights(cls.start(options, 3))
    assert torch.equal(start, weights(cls.load(options, tmp_path / "model")))
    assert not torch.equal(start, weights(cls.start(options, 4)))
    assert torch.equal(weights(cls.start(options, 0)), weights(cls.load(options)))
