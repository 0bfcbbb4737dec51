"""PE-Rank's training: projector and decoder, over embeddings of a frozen encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from resrank.model.passage_embeddings import PassageEmbeddings
from resrank.records import Passage, TrainingExample
from resrank.reranker import Bench
from resrank.training.checkpoints import Checkpoints
from resrank.training.lists import TrainingList, batches, choose, usable
from resrank.training.loop import Phase, fit
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
    found = usable(examples, stage)
    kept = choose(found, options.max_queries, np.random.default_rng([seed]))
    if not kept:
        raise ValueError("no training query has a relevant passage among its candidates")
    embeddings = PassageEmbeddings(model.encoder)
    embeddings.prepare((c.passage for e in kept for c in e.candidates), bench.store)
    run = processes()

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
    phase = Phase(
        "PE-Rank", rates, options.epochs, options.warmup,
        lambda epoch: batches(kept, stage, np.random.default_rng([seed, epoch])),
        backward, lambda batch: ", ".join(item.query_id for item in batch[:3]),
        accumulate=options.accumulate,
    )  # fmt: skip
    fit(model, phase, Checkpoints(bench.checkpoints, bench.key), bench.on_step)
    model.eval()
    return {"queries_used": len(kept), "queries_skipped": len(examples) - len(found)}
