"""PE-Rank's training: projector and decoder, over embeddings of a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from baselines.pe_rank.losses import list_losses
from baselines.pe_rank.model import PERankModel
from baselines.pe_rank.options import PERankTraining
from resrank.model.passage_embeddings import PassageEmbeddings
from resrank.records import Passage, TrainingExample
from resrank.reranker import TrainingJob
from resrank.training.list_loop import ListPhase, fit_lists
from resrank.training.lists import TrainingList
from resrank.training.options import TrainingStage
from resrank.training.processes import processes


def train_lists(
    model: PERankModel,
    examples: Sequence[TrainingExample],
    options: PERankTraining,
    job: TrainingJob,
) -> dict[str, Any]:
    """Train in place, and return how many queries were used and skipped."""
    weights = {"ranking": 1.0}
    if options.uses_text:
        weights |= {"content": options.content_weight, "divergence": options.divergence_weight}
    embeddings = PassageEmbeddings(model.encoder)
    run = processes()

    def prepare(kept: Sequence[TrainingExample]) -> None:
        embeddings.prepare((c.passage for e in kept for c in e.candidates), job.store)

    def backward(batch: Sequence[TrainingList]) -> dict[str, float]:
        total = torch.zeros(len(weights), device=model.encoder.device)
        for item in run.share(batch):
            vectors, _ = embeddings([Passage("", text) for text in item.texts])
            by_name = list_losses(model, item, torch.from_numpy(vectors), options)
            losses = torch.stack([by_name[name] for name in weights]) / len(batch)
            weighted = losses @ losses.new_tensor(list(weights.values()))
            weighted.backward()  # type: ignore[no-untyped-call]
            total += losses.detach()
        return dict(zip(weights, run.add_up(total).tolist(), strict=True))

    phase = ListPhase(
        name="PE-Rank",
        rates=dict.fromkeys(_trained(model), options.learning_rate),
        options=options,
        stage=TrainingStage(
            teacher=options.teacher,
            labels=options.labels,
            share=options.share,
            list_length=options.list_length,
            batch_queries=options.batch_queries,
            order=options.order,
        ),
        backward=backward,
        prepare=prepare,
    )
    return fit_lists(model, phase, examples, job)


def _trained(model: PERankModel) -> list[str]:
    """Name the parameters of projector and decoder, without the decoder's token embeddings."""
    table = model.decoder.model.get_input_embeddings().weight
    return [
        name
        for name, parameter in model.named_parameters()
        if not name.startswith("encoder.") and parameter is not table
    ]
