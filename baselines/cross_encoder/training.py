"""The cross-encoder's training: every query's relevant passage against first-stage negatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.random import Generator

from resrank.model.device import autocast
from resrank.records import TrainingExample
from resrank.reranker import Bench
from resrank.training.checkpoints import Checkpoints
from resrank.training.lists import choose
from resrank.training.loop import Phase, fit
from resrank.training.processes import processes

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder as Model

    from baselines.cross_encoder.reranker import CrossEncoder

Pair = tuple[str, str, float]


def train_pairs(
    model: Model,
    examples: Sequence[TrainingExample],
    options: CrossEncoder.Training,
    seed: int,
    bench: Bench,
) -> dict[str, int]:
    """Fit in place with binary cross-entropy; returns how many queries were used and skipped."""
    usable = [e for e in examples if e.positives and e.candidates]
    kept = choose(usable, options.max_queries, np.random.default_rng([seed]))
    if not kept:
        raise ValueError("no training query has both a relevant passage and candidates")

    def batches(epoch: int) -> list[list[Pair]]:
        rng = np.random.default_rng([seed, epoch])
        order, size = rng.permutation(len(kept)), options.batch_queries
        groups = [order[start : start + size] for start in range(0, len(order), size)]
        return [[p for i in group for p in _pairs(kept[i], options.negatives, rng)]
                for group in groups]  # fmt: skip

    run, device = processes(), next(model.parameters()).device

    def backward(pairs: Sequence[Pair]) -> dict[str, float]:
        own = run.share(pairs)
        loss = torch.zeros((), device=device)
        if own:
            with autocast(None, device):
                loss = _loss(model, own, options.max_tokens) / len(pairs)
            loss.backward()  # type: ignore[no-untyped-call]
        return {"loss": run.add_up(loss.detach().clone()).item()}

    model.train()
    phase = Phase(
        "cross-encoder", {n: options.learning_rate for n, _ in model.named_parameters()},
        options.epochs, 0.1, batches, backward, lambda pairs: repr(pairs[0][0]),
        mixed=None, unit="pairs",
    )  # fmt: skip
    fit(model, phase, Checkpoints(bench.checkpoints, bench.key), bench.on_step)
    model.eval()
    return {"queries_used": len(kept), "queries_skipped": len(examples) - len(usable)}


def _pairs(example: TrainingExample, negatives: int, rng: Generator) -> list[Pair]:
    """One relevant passage and `negatives` candidates that are not judged relevant."""
    wrong = [c.passage for c in example.candidates if example.grades.get(c.passage.id, 0) <= 0]
    chosen = rng.permutation(len(wrong))[:negatives]
    right = example.positives[int(rng.integers(len(example.positives)))]
    query = example.query.text
    return [(query, right.text, 1.0), *((query, wrong[i].text, 0.0) for i in chosen)]


def _loss(model: Model, pairs: Sequence[Pair], max_tokens: int) -> torch.Tensor:
    """Sum of the pairs' binary cross-entropies."""
    queries, passages, labels = zip(*pairs, strict=True)
    batch = model.tokenizer(
        list(queries),
        list(passages),
        padding=True,
        truncation=True,
        max_length=max_tokens,
        return_tensors="pt",
    ).to(next(model.parameters()).device)
    logits = model.model(**batch).logits.squeeze(-1)
    target = torch.tensor(labels, device=logits.device)
    return torch.nn.functional.binary_cross_entropy_with_logits(
        logits.float(), target, reduction="sum"
    )
