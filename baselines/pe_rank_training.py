"""PE-Rank's training: projector and decoder, over embeddings of a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from resrank.model.passage_embeddings import PassageEmbeddings
from resrank.records import Passage, TrainingExample
from resrank.reranker import Bench
from resrank.training.list_loop import fit_lists
from resrank.training.lists import TrainingList
from resrank.training.options import Stage
from resrank.training.processes import processes

if TYPE_CHECKING:
    from baselines.pe_rank import PERank
    from baselines.pe_rank_model import PERankModel


def train_lists(
    model: PERankModel,
    examples: Sequence[TrainingExample],
    options: PERank.Training,
    seed: int,
    bench: Bench,
) -> dict[str, int]:
    """Fit in place; returns how many queries were used and skipped."""
    stage = Stage(
        share=options.share, list_length=options.list_length, batch_queries=options.batch_queries,
        order=options.order,
    )  # fmt: skip
    embeddings = PassageEmbeddings(model.encoder)
    run = processes()

    def prepare(kept: Sequence[TrainingExample]) -> None:
        embeddings.prepare((c.passage for e in kept for c in e.candidates), bench.store)

    def backward(batch: Sequence[TrainingList]) -> dict[str, float]:
        loss = torch.zeros((), device=model.encoder.device)
        for item in run.share(batch):
            vectors, _ = embeddings([Passage("", text) for text in item.texts])
            part = model.loss(item.query, torch.from_numpy(vectors), item.grades) / len(batch)
            part.backward()  # type: ignore[no-untyped-call]
            loss += part.detach()
        return {"ranking": run.add_up(loss).item()}

    table = model.decoder.model.get_input_embeddings().weight
    rates = {
        name: options.learning_rate
        for name, parameter in model.named_parameters()
        if not name.startswith("encoder.") and parameter is not table
    }
    return fit_lists(
        model, "PE-Rank", rates, options, stage, examples, backward, seed, bench, prepare
    )
