"""E2Rank's training (arXiv 2510.22733, section 3.2): one encoder for queries, passages, prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from baselines.e2rank.options import E2RankTraining
from baselines.e2rank.prompt import ListwisePrompt
from resrank.model.encoder import Encoder
from resrank.records import TrainingExample
from resrank.reranker import TrainingJob
from resrank.training.encoder_loop import embed, retrieval_loss, texts_of
from resrank.training.gradient_cache import Embedded
from resrank.training.list_loop import ListPhase, fit_lists
from resrank.training.lists import TrainingList
from resrank.training.losses import ranknet
from resrank.training.options import TrainingStage
from resrank.training.processes import processes


def train_prompts(
    encoder: Encoder,
    prompt: ListwisePrompt,
    examples: Sequence[TrainingExample],
    options: E2RankTraining,
    job: TrainingJob,
) -> dict[str, Any]:
    """Train the encoder in place, and return how many queries were used and skipped."""
    run = processes()

    def backward(batch: Sequence[TrainingList]) -> dict[str, float]:
        o = options
        queries, passages = embed(encoder, batch, o.max_tokens, o.chunk_tokens, o.autocast)
        ids = [prompt.ids(item.query, item.texts, item.instruction) for item in batch]
        prompts = Embedded(encoder, ids, o.chunk_tokens, o.autocast)
        retrieval = retrieval_loss(batch, queries, passages, o.temperature)
        ranking = _ranking_loss(batch, prompts, passages, o.ranking_scale)
        loss = (retrieval + o.ranking_weight * ranking) / run.count
        loss.backward()  # type: ignore[no-untyped-call]
        for part in (queries, passages, prompts):
            part.backward()
        return {"retrieval": retrieval.item(), "ranking": ranking.item()}

    phase = ListPhase(
        name="E2Rank",
        rates={name: options.learning_rate for name, _ in encoder.named_parameters()},
        options=options,
        stage=TrainingStage(
            share=options.share,
            list_length=options.list_length,
            batch_queries=options.batch_queries,
            teacher=options.teacher,
            labels=options.labels,
            negatives=options.negatives,
            negative_filter=options.negative_filter,
            order=options.order,
        ),
        backward=backward,
        mixed=options.autocast,
    )
    return fit_lists(encoder, phase, examples, job)


def _ranking_loss(
    batch: Sequence[TrainingList], prompts: Embedded, passages: Embedded, scale: float
) -> Tensor:
    """Return the mean RankNet loss of each list's scaled cosines with its prompt."""
    place = {text: i for i, text in enumerate(texts_of(batch))}
    losses = []
    for vector, item in zip(prompts.vectors, batch, strict=True):
        scores = passages.vectors[[place[text] for text in item.texts]] @ vector * scale
        losses.append(ranknet(scores, torch.tensor(item.grades, device=scores.device)))
    return torch.stack(losses).mean()
