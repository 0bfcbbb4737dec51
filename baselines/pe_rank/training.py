"""PE-Rank's training: projector and decoder, over embeddings of a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from baselines.pe_rank.losses import list_losses
from resrank.model.passage_embeddings import PassageEmbeddings
from resrank.records import Passage, TrainingExample
from resrank.reranker import Bench
from resrank.training.list_loop import fit_lists
from resrank.training.lists import TrainingList
from resrank.training.options import Stage
from resrank.training.processes import processes
from resrank.training.teacher import taught_by

if TYPE_CHECKING:
    from baselines.pe_rank.model import PERankModel
    from baselines.pe_rank.reranker import PERank


def train_lists(
    model: PERankModel,
    examples: Sequence[TrainingExample],
    options: PERank.Training,
    seed: int,
    bench: Bench,
) -> dict[str, int]:
    """Fit in place; returns how many queries were used and skipped."""
    stage = Stage(
        teacher=options.teacher, share=options.share, list_length=options.list_length,
        batch_queries=options.batch_queries, order=options.order,
    )  # fmt: skip
    weights = {"ranking": 1.0}
    if options.shows_text:
        weights |= {"content": options.content_weight, "divergence": options.divergence_weight}
    taught = taught_by(examples, options.teacher) if options.teacher else examples
    embeddings = PassageEmbeddings(model.encoder)
    run = processes()

    def prepare(kept: Sequence[TrainingExample]) -> None:
        embeddings.prepare((c.passage for e in kept for c in e.candidates), bench.store)

    def backward(batch: Sequence[TrainingList]) -> dict[str, float]:
        total = torch.zeros(len(weights), device=model.encoder.device)
        for item in run.share(batch):
            vectors, _ = embeddings([Passage("", text) for text in item.texts])
            found = list_losses(
                model, item.query, torch.from_numpy(vectors), item.texts, item.grades, options
            )
            losses = torch.stack([found[name] for name in weights]) / len(batch)
            whole = losses @ losses.new_tensor(list(weights.values()))
            whole.backward()  # type: ignore[no-untyped-call]
            total += losses.detach()
        return dict(zip(weights, run.add_up(total).tolist(), strict=True))

    table = model.decoder.model.get_input_embeddings().weight
    rates = {
        name: options.learning_rate
        for name, parameter in model.named_parameters()
        if not name.startswith("encoder.") and parameter is not table
    }
    return fit_lists(
        model, "PE-Rank", rates, options, stage, taught, backward, seed, bench, prepare
    )
