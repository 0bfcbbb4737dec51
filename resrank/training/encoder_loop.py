"""Training an encoder alone with InfoNCE: the bi-encoder's training, ResRank's yardstick."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from resrank.model.encoder import Encoder
from resrank.records import TrainingExample
from resrank.reranker import TrainingJob
from resrank.training.checkpoints import Checkpoints
from resrank.training.gradient_cache import Embedded
from resrank.training.lists import TrainingList, batches, choose, usable
from resrank.training.loop import TrainingPhase, fit
from resrank.training.losses import info_nce
from resrank.training.options import EncoderTraining, Stage
from resrank.training.processes import processes


def train_encoder(
    encoder: Encoder,
    examples: Sequence[TrainingExample],
    options: EncoderTraining,
    job: TrainingJob,
) -> dict[str, int]:
    """Train in place, and return how many queries were used and skipped."""
    stage = Stage(
        share=options.share,
        batch_queries=options.batch_queries,
        list_length=options.negatives + 1,
        negatives="sampled",
    )
    found = usable(examples, stage)
    kept = choose(found, options.max_queries, np.random.default_rng([job.seed]))
    if not kept:
        raise ValueError("no training query has a relevant passage and candidates")

    run = processes()

    def backward(batch: Sequence[TrainingList]) -> dict[str, float]:
        parts = embed(encoder, batch, options.max_tokens, options.chunk_tokens, options.autocast)
        loss = retrieval_loss(batch, *parts, options.temperature)
        (loss / run.count).backward()  # type: ignore[no-untyped-call]
        for part in parts:
            part.backward()
        return {"loss": loss.item()}

    rates = {name: options.learning_rate for name, _ in encoder.named_parameters()}
    phase = TrainingPhase(
        "encoder", rates, options.epochs, options.warmup,
        lambda epoch: batches(kept, stage, np.random.default_rng([job.seed, 0, epoch])),
        backward, lambda batch: ", ".join(item.query_id for item in batch[:3]),
        accumulate=options.accumulate, mixed=options.autocast,
    )  # fmt: skip
    fit(encoder, phase, Checkpoints(job.checkpoints, job.key), job.on_step)
    encoder.eval()
    return {"queries_used": len(kept), "queries_skipped": len(examples) - len(found)}


def embed(
    encoder: Encoder,
    batch: Sequence[TrainingList],
    max_tokens: int | None,
    chunk_tokens: int | None,
    mixed: bool | None,
) -> tuple[Embedded, Embedded]:
    """A batch's queries, and each of its passages once, in the order of `texts_of`."""
    queries = encoder.tokenize([item.query for item in batch], query=True).ids
    passages = encoder.tokenize(texts_of(batch), max_tokens=max_tokens).ids
    return (
        Embedded(encoder, queries, chunk_tokens, mixed),
        Embedded(encoder, passages, chunk_tokens, mixed),
    )


def retrieval_loss(
    batch: Sequence[TrainingList], queries: Embedded, passages: Embedded, temperature: float
) -> torch.Tensor:
    """InfoNCE of a batch's queries over all of the batch's passages."""
    positive = positives(batch, texts_of(batch))
    return info_nce(queries.vectors, passages.vectors, positive, temperature)


def texts_of(batch: Sequence[TrainingList]) -> list[str]:
    """Each passage text of a batch once."""
    return sorted({text for item in batch for text in item.texts})


def positives(batch: Sequence[TrainingList], texts: Sequence[str]) -> torch.Tensor:
    """(queries, texts) bool: which texts are relevant to which query of the batch."""
    positive = [[text in item.relevant for text in texts] for item in batch]
    return torch.tensor(positive, dtype=torch.bool)
