"""Training ResRank's reranker over first-stage lists, with the encoder frozen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from resrank.model.device import autocast
from resrank.model.passage_embeddings import PassageEmbeddings
from resrank.model.resrank import Lists, ResRank
from resrank.records import Passage, TrainingExample
from resrank.training.lists import TrainingList, batches, usable
from resrank.training.losses import ranknet
from resrank.training.options import ResRankTraining
from resrank.training.schedule import linear

OnStep = Callable[[dict[str, float]], None]


def train_frozen(
    model: ResRank,
    embeddings: PassageEmbeddings,
    examples: Sequence[TrainingExample],
    options: ResRankTraining,
    seed: int,
    on_step: OnStep | None = None,
) -> dict[str, int]:
    """Fit the reranker with RankNet; returns how many queries were used and skipped.

    Raises FloatingPointError on a non-finite loss, naming the step.
    """
    rng = np.random.default_rng(seed)
    found = usable(examples, options.list_length)
    kept = [found[i] for i in rng.permutation(len(found))[: options.max_queries]]
    if not kept:
        raise ValueError("no training query has a relevant passage among its candidates")
    for parameter in model.encoder.parameters():
        parameter.requires_grad_(False)
    table = model.reranker.model.get_input_embeddings()
    table.weight.requires_grad_(options.train_token_embeddings)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=options.learning_rate, weight_decay=0.01)
    steps = options.epochs * math.ceil(len(kept) / options.batch_queries)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, linear(steps, options.warmup))
    model.train()
    with tqdm(total=steps, desc="training resrank", unit="step") as bar:
        for epoch in range(options.epochs):
            for batch in batches(
                kept, options.batch_queries, options.list_length, options.order == "shuffled", rng
            ):
                with autocast(options.autocast, table.weight.device):
                    loss = ranking_loss(model, embeddings, batch)
                _step(loss, trained, optimizer, schedule, int(bar.n))
                bar.update()
                bar.set_postfix(loss=f"{loss.item():.4f}")
                if on_step:
                    on_step({"step": bar.n, "epoch": epoch, "loss": loss.item()})
    model.eval()
    return {"queries_used": len(kept), "queries_skipped": len(examples) - len(kept)}


def ranking_loss(
    model: ResRank, embeddings: PassageEmbeddings, batch: Sequence[TrainingList]
) -> Tensor:
    """Mean RankNet loss of a batch of lists, over the scaled cosines."""
    blocks = [
        torch.from_numpy(embeddings([Passage("", text) for text in item.texts])[0])
        for item in batch
    ]
    slots = None
    if model.options.query_slot:
        slots = model.encoder.embed([item.query for item in batch], query=True).clone()
    lists = Lists([model.query_tokens(item.query)[0] for item in batch], slots, blocks)
    scale = model.log_scale.exp()
    losses = [
        ranknet(scores * scale, torch.tensor(item.grades, device=scores.device))
        for scores, item in zip(model(lists), batch, strict=True)
    ]
    return torch.stack(losses).mean()


def _step(
    loss: Tensor,
    trained: Sequence[nn.Parameter],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    step: int,
) -> None:
    if not torch.isfinite(loss):
        raise FloatingPointError(f"loss is {loss.item()} at step {step}; lower the learning rate")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    schedule.step()
