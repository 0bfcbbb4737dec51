"""Training of an encoder alone with InfoNCE, as the bi-encoder baseline is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from resrank.model.encoder import Encoder
from resrank.reranker import TrainingData, TrainingJob
from resrank.training.checkpoints import Checkpoints
from resrank.training.gradient_cache import Embedded
from resrank.training.lists import TrainingList, batches, query_ids, usable
from resrank.training.loop import TrainingPhase, fit
from resrank.training.losses import info_nce
from resrank.training.mixture import choose, used_counts
from resrank.training.options import EncoderTraining, TrainingStage
from resrank.training.processes import processes
from resrank.training.query_use import report_queries


def train_encoder(
    encoder: Encoder,
    data: TrainingData,
    options: EncoderTraining,
    job: TrainingJob,
) -> dict[str, Any]:
    """Train in place, and return how many queries were used and skipped.

    Raises ValueError if no query has a relevant passage and candidates.
    """
    stage = TrainingStage(
        share=options.share,
        max_queries=options.max_queries,
        batch_queries=options.batch_queries,
        list_length=options.negatives + 1,
        negatives="sampled",
        order="shuffled",
        negative_filter=options.negative_filter,
    )
    examples = data.examples(options.queries)
    usable_examples = usable(examples, stage)
    kept = choose(usable_examples, options.max_queries, np.random.default_rng([job.seed]))
    if not kept:
        raise ValueError("no training query has a relevant passage and candidates")
    report_queries("encoder", stage, examples, usable_examples, kept)

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
        name="encoder",
        rates=rates,
        epochs=options.epochs,
        warmup=options.warmup,
        batches=lambda epoch: batches(kept, stage, np.random.default_rng([job.seed, 0, epoch])),
        backward=backward,
        describe=query_ids,
        accumulate=options.accumulate,
        mixed=options.autocast,
    )
    fit(encoder, phase, Checkpoints(job.checkpoints, job.key), job.on_step)
    encoder.eval()
    return used_counts(examples, usable_examples, kept)


def embed(
    encoder: Encoder,
    batch: Sequence[TrainingList],
    max_tokens: int | None,
    chunk_tokens: int | None,
    mixed: bool | None,
) -> tuple[Embedded, Embedded]:
    """Embed a batch's queries, and each of its passages once, in the order of `texts_of`.

    Returns embeddings of the shapes (queries, width) and (texts, width). max_tokens: cut passages
    to this many tokens. chunk_tokens: most padded tokens per chunk, as `Embedded` takes it. mixed:
    compute in bfloat16, as `autocast` takes it.
    """
    told = [item.instruction for item in batch]
    queries = encoder.tokenize([item.query for item in batch], query=True, instructions=told).ids
    passages = encoder.tokenize(texts_of(batch), max_tokens=max_tokens).ids
    return (
        Embedded(encoder, queries, chunk_tokens, mixed),
        Embedded(encoder, passages, chunk_tokens, mixed),
    )


def retrieval_loss(
    batch: Sequence[TrainingList], queries: Embedded, passages: Embedded, temperature: float
) -> torch.Tensor:
    """Return the InfoNCE loss of a batch's queries over all of the batch's passages, a scalar."""
    positive = positives(batch, texts_of(batch))
    return info_nce(_unit(queries), _unit(passages), positive, temperature)


def _unit(texts: Embedded) -> torch.Tensor:
    """Return the texts' embeddings at length 1, (texts, width)."""
    if texts.encoder.options.normalize:
        return texts.vectors
    return torch.nn.functional.normalize(texts.vectors, dim=-1)


def texts_of(batch: Sequence[TrainingList]) -> list[str]:
    """Return the distinct passage texts of a batch, sorted."""
    return sorted({text for item in batch for text in item.texts})


def positives(batch: Sequence[TrainingList], texts: Sequence[str]) -> torch.Tensor:
    """Return which texts are relevant to which query of the batch, (queries, texts) bool."""
    positive = [[text in item.relevant for text in texts] for item in batch]
    return torch.tensor(positive, dtype=torch.bool)
