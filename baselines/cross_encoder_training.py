"""The cross-encoder's training loop: every positive against sampled first-stage negatives."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.random import Generator
from tqdm import tqdm

from resrank.model.device import autocast
from resrank.records import TrainingExample
from resrank.training.schedule import linear

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder as Model

    from baselines.cross_encoder import CrossEncoder

Pair = tuple[str, str, float]


def fit(
    model: Model,
    examples: Sequence[TrainingExample],
    options: CrossEncoder.Training,
    seed: int,
    on_step: Callable[[dict[str, float]], None] | None = None,
) -> dict[str, int]:
    """Train in place; returns the number of queries used."""
    rng = np.random.default_rng(seed)
    usable = [e for e in examples if e.positives and e.candidates]
    kept = [usable[i] for i in rng.permutation(len(usable))[: options.max_queries]]
    if not kept:
        raise ValueError("no training query has both a relevant passage and candidates")
    steps = options.epochs * math.ceil(len(kept) / options.batch_queries)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, linear(steps, 0.1))
    device = next(model.parameters()).device
    model.train()
    with tqdm(total=steps, desc="training cross-encoder", unit="step") as bar:
        for epoch in range(options.epochs):
            order = rng.permutation(len(kept))
            for start in range(0, len(order), options.batch_queries):
                chosen = [kept[i] for i in order[start : start + options.batch_queries]]
                pairs = [p for e in chosen for p in _pairs(e, options.negatives, rng)]
                with autocast(None, device):
                    loss = _loss(model, pairs, options.max_tokens)
                if not torch.isfinite(loss):
                    raise FloatingPointError(f"loss is {loss.item()} at step {bar.n}")
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                bar.update()
                if on_step:
                    on_step({"step": bar.n, "epoch": epoch, "loss": loss.item()})
    model.eval()
    return {"queries_used": len(kept), "queries_skipped": len(examples) - len(usable)}


def _pairs(example: TrainingExample, negatives: int, rng: Generator) -> list[Pair]:
    """One positive and `negatives` candidates that are not judged relevant."""
    wrong = [c.passage for c in example.candidates if example.grades.get(c.passage.id, 0) <= 0]
    chosen = rng.permutation(len(wrong))[:negatives]
    right = example.positives[int(rng.integers(len(example.positives)))]
    query = example.query.text
    return [(query, right.text, 1.0), *((query, wrong[i].text, 0.0) for i in chosen)]


def _loss(model: Model, pairs: Sequence[Pair], max_tokens: int) -> torch.Tensor:
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
    return torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), target)
