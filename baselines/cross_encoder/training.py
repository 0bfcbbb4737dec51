"""The cross-encoder's training: every query's relevant passage against first-stage negatives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.random import Generator
from sentence_transformers import CrossEncoder

from baselines.cross_encoder.options import CrossEncoderTraining
from resrank.model.device import autocast
from resrank.records import TrainingExample
from resrank.reranker import TrainingJob
from resrank.training.checkpoints import Checkpoints
from resrank.training.lists import choose
from resrank.training.loop import TrainingPhase, fit
from resrank.training.processes import processes

LabelledPair = tuple[str, str, float]
"""Query text, passage text, and 1 for a relevant passage or 0."""


def train_pairs(
    model: CrossEncoder,
    examples: Sequence[TrainingExample],
    options: CrossEncoderTraining,
    job: TrainingJob,
) -> dict[str, int]:
    """Train in place with binary cross-entropy, and return how many queries were used and skipped.

    Raises ValueError if no query has both a relevant passage and candidates.
    """
    usable = [e for e in examples if e.positives and e.candidates]
    kept = choose(usable, options.max_queries, np.random.default_rng([job.seed]))
    if not kept:
        raise ValueError("no training query has both a relevant passage and candidates")

    def batches(epoch: int) -> list[list[LabelledPair]]:
        rng = np.random.default_rng([job.seed, epoch])
        order, size = rng.permutation(len(kept)), options.batch_queries
        groups = [order[start : start + size] for start in range(0, len(order), size)]
        return [
            [pair for i in group for pair in _pairs(kept[i], options.negatives, rng)]
            for group in groups
        ]

    run, device = processes(), next(model.parameters()).device

    def backward(pairs: Sequence[LabelledPair]) -> dict[str, float]:
        share = run.share(pairs)
        loss = torch.zeros((), device=device)
        if share:
            with autocast(None, device):
                loss = _loss(model, share, options.max_tokens) / len(pairs)
            loss.backward()  # type: ignore[no-untyped-call]
        return {"loss": run.add_up(loss.detach().clone()).item()}

    model.train()
    phase = TrainingPhase(
        name="cross-encoder",
        rates={name: options.learning_rate for name, _ in model.named_parameters()},
        epochs=options.epochs,
        warmup=0.1,
        batches=batches,
        backward=backward,
        describe=lambda pairs: repr(pairs[0][0]),
        mixed=None,
        unit="pairs",
    )
    fit(model, phase, Checkpoints(job.checkpoints, job.key), job.on_step)
    model.eval()
    return {"queries_used": len(kept), "queries_skipped": len(examples) - len(usable)}


def _pairs(example: TrainingExample, negatives: int, rng: Generator) -> list[LabelledPair]:
    """Return one relevant passage and `negatives` candidates that are not judged relevant."""
    wrong = [c.passage for c in example.candidates if example.grades.get(c.passage.id, 0) <= 0]
    chosen = rng.permutation(len(wrong))[:negatives]
    right = example.positives[int(rng.integers(len(example.positives)))]
    query = example.query.text
    return [(query, right.text, 1.0), *((query, wrong[i].text, 0.0) for i in chosen)]


def _loss(model: CrossEncoder, pairs: Sequence[LabelledPair], max_tokens: int) -> torch.Tensor:
    """Return the sum of the pairs' binary cross-entropies."""
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
