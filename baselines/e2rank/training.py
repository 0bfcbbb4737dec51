"""E2Rank's training (arXiv 2510.22733, section 3.2): one encoder for queries, passages, prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from resrank.records import TrainingExample
from resrank.reranker import Bench
from resrank.training.encoder_loop import embed, retrieval_loss, texts_of
from resrank.training.gradient_cache import Embedded
from resrank.training.list_loop import fit_lists
from resrank.training.lists import TrainingList
from resrank.training.losses import ranknet
from resrank.training.options import Stage
from resrank.training.processes import processes

if TYPE_CHECKING:
    from baselines.e2rank.reranker import E2Rank


def train_prompts(
    system: E2Rank,
    examples: Sequence[TrainingExample],
    options: E2Rank.Training,
    seed: int,
    bench: Bench,
) -> dict[str, int]:
    """Fit the encoder in place; returns how many queries were used and skipped."""
    stage = Stage(
        share=options.share, list_length=options.list_length, batch_queries=options.batch_queries,
        negatives=options.negatives, order=options.order,
    )  # fmt: skip
    run = processes()

    def backward(batch: Sequence[TrainingList]) -> dict[str, float]:
        o, encoder = options, system.encoder
        queries, passages = embed(encoder, batch, o.max_tokens, o.chunk_tokens, o.autocast)
        asked = [system.prompt_ids(item.query, item.texts) for item in batch]
        prompts = Embedded(encoder, asked, o.chunk_tokens, o.autocast)
        retrieval = retrieval_loss(batch, queries, passages, o.temperature)
        ranking = _ranking(batch, prompts, passages, o.ranking_scale)
        loss = (retrieval + o.ranking_weight * ranking) / run.count
        loss.backward()  # type: ignore[no-untyped-call]
        for part in (queries, passages, prompts):
            part.backward()
        return {"retrieval": retrieval.item(), "ranking": ranking.item()}

    rates = {name: options.learning_rate for name, _ in system.encoder.named_parameters()}
    return fit_lists(
        system.encoder, "E2Rank", rates, options, stage, examples, backward, seed, bench,
        mixed=options.autocast,
    )  # fmt: skip


def _ranking(
    batch: Sequence[TrainingList], prompts: Embedded, passages: Embedded, scale: float
) -> Tensor:
    """RankNet of each list's scaled cosines with its prompt, their mean."""
    place = {text: i for i, text in enumerate(texts_of(batch))}
    losses = []
    for vector, item in zip(prompts.vectors, batch, strict=True):
        scores = passages.vectors[[place[text] for text in item.texts]] @ vector * scale
        losses.append(ranknet(scores, torch.tensor(item.grades, device=scores.device)))
    return torch.stack(losses).mean()
