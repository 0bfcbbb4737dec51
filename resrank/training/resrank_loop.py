"""Training ResRank in stages: RankNet on the reranker's scores and InfoNCE on the encoder, at once.

Facts 6 and 7 of docs/papers.md. Where a stage trains the encoder, both losses' gradients reach it,
the ranking loss's through the compressed passages; elsewhere embeddings come from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from resrank.model.device import autocast
from resrank.model.passage_embeddings import PassageEmbeddings
from resrank.model.resrank import Lists, ResRank
from resrank.records import Passage, TrainingExample
from resrank.reranker import TrainingJob
from resrank.training.checkpoints import Checkpoints
from resrank.training.encoder_loop import embed, retrieval_loss, texts_of
from resrank.training.gradient_cache import Embedded
from resrank.training.lists import TrainingList, batches, choose, usable
from resrank.training.loop import TrainingPhase, fit
from resrank.training.lora import is_replaced
from resrank.training.losses import ranknet
from resrank.training.options import ResRankTraining, Stage
from resrank.training.processes import processes
from resrank.training.teacher import taught_by


def train_stages(
    model: ResRank,
    examples: Sequence[TrainingExample],
    options: ResRankTraining,
    job: TrainingJob,
    evaluate: Callable[[Stage], float] | None = None,
) -> list[dict[str, int]]:
    """Fit in place, a stage after the other; returns each one's queries used and skipped.

    evaluate: the model's dev score as a stage asks for it; used where `dev_queries` is not 0.
    """
    checkpoints = Checkpoints(job.checkpoints, job.key)
    counts = []
    for number, stage in enumerate(options.stages, start=1):
        taught = taught_by(examples, stage.teacher) if stage.teacher else examples
        found = usable(taught, stage)
        kept = choose(found, stage.max_queries, np.random.default_rng([job.seed, number]))
        if not kept:
            raise ValueError("no training query has a relevant passage among its candidates")
        losses = StageLosses(model, options, stage, kept, job)

        def lists(
            epoch: int, kept: list[TrainingExample] = kept, stage: Stage = stage, n: int = number
        ) -> list[list[TrainingList]]:
            return batches(kept, stage, np.random.default_rng([job.seed, n, epoch]))

        phase = TrainingPhase(
            f"stage {number}", rates(model, options, stage), stage.epochs, stage.warmup, lists,
            losses, lambda batch: ", ".join(item.query_id for item in batch[:3]),
            partial(evaluate, stage) if evaluate and stage.dev_queries else None, stage.patience,
            stage.accumulate, options.autocast,
        )  # fmt: skip
        fit(model, phase, checkpoints, job.on_step)
        counts.append({"queries_used": len(kept), "queries_skipped": len(examples) - len(found)})
    model.eval()
    return counts


def rates(model: ResRank, options: ResRankTraining, stage: Stage) -> dict[str, float]:
    """Peak learning rate of every parameter that a stage trains."""
    table = model.reranker.model.get_input_embeddings().weight
    trained: dict[str, float] = {}
    for name, parameter in model.named_parameters():
        if options.lora is not None and is_replaced(name):
            continue
        if name.startswith("encoder."):
            if stage.train_encoder:
                trained[name] = stage.encoder_learning_rate
        elif stage.ranking_weight and (parameter is not table or options.train_token_embeddings):
            trained[name] = stage.learning_rate
    if not trained:
        raise ValueError("a stage with ranking_weight 0 and a frozen encoder trains nothing")
    return trained


class StageLosses:
    """Adds the gradients of one batch of lists."""

    def __init__(
        self,
        model: ResRank,
        options: ResRankTraining,
        stage: Stage,
        examples: Sequence[TrainingExample],
        job: TrainingJob,
    ) -> None:
        self.model = model
        self.options = options
        self.stage = stage
        self.embeddings = PassageEmbeddings(model.encoder)
        self.examples = examples
        self.job = job
        self.device = model.encoder.device
        self.run = processes()

    def __call__(self, batch: Sequence[TrainingList]) -> dict[str, float]:
        """Losses by name; gradients are added to the model's parameters."""
        if self.stage.train_encoder:
            return self._joint(batch)
        own = self._own(batch)
        given = self._frozen(own, batch)
        with autocast(self.options.autocast, self.device):
            loss = self._ranking(own, len(batch), *given)
        (loss * self.stage.ranking_weight).backward()  # type: ignore[no-untyped-call]
        return {"ranking": self._total(loss)}

    def _joint(self, batch: Sequence[TrainingList]) -> dict[str, float]:
        stage, o = self.stage, self.options
        queries, passages = embed(
            self.model.encoder, batch, stage.max_tokens, o.chunk_tokens, o.autocast
        )
        retrieval = retrieval_loss(batch, queries, passages, o.temperature)
        losses = {"retrieval": retrieval / self.run.count}  # computed whole by every process
        if stage.ranking_weight:
            own = self._own(batch)
            given = _joined(own, batch, queries, passages)
            with autocast(o.autocast, self.device):
                losses["ranking"] = self._ranking(own, len(batch), *given)
        weights = {"retrieval": stage.retrieval_weight, "ranking": stage.ranking_weight}
        total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        total.backward()  # type: ignore[no-untyped-call]
        passages.backward()
        queries.backward()
        return {name: self._total(loss) for name, loss in losses.items()}

    def _own(self, batch: Sequence[TrainingList]) -> list[TrainingList]:
        """The lists that this process ranks. Sharded weights need each process to rank one."""
        own = self.run.share(batch)
        return own or [batch[0]._replace(grades=[0] * len(batch[0].grades))]

    def _total(self, loss: Tensor) -> float:
        return self.run.add_up(loss.detach().clone()).item()

    def _ranking(
        self, own: Sequence[TrainingList], lists: int, slots: Tensor, blocks: Sequence[Tensor]
    ) -> Tensor:
        """RankNet over the scaled cosines of this process's lists, its part of the mean of all."""
        prompts = [self.model.query_tokens(item.query)[0] for item in own]
        scores = self.model(
            Lists(prompts, slots if self.model.options.query_slot else None, blocks)
        )
        scale = self.model.log_scale.exp()
        losses = [
            ranknet(found * scale, torch.tensor(item.grades, device=found.device))
            for found, item in zip(scores, own, strict=True)
        ]
        return torch.stack(losses).sum() / lists

    def _frozen(
        self, own: Sequence[TrainingList], batch: Sequence[TrainingList]
    ) -> tuple[Tensor, list[Tensor]]:
        """Query embeddings and passage embeddings of an encoder that this stage does not train.

        One that is spread over processes cannot fill a store: they embed each batch together.
        """
        if not (self.run.sharded and self.options.trains_encoder):
            return self._stored(own)
        o = self.options
        given = embed(self.model.encoder, batch, None, o.chunk_tokens, mixed=False)
        slots, blocks = _joined(own, batch, *given)
        return slots.detach(), [block.detach() for block in blocks]

    def _stored(self, batch: Sequence[TrainingList]) -> tuple[Tensor, list[Tensor]]:
        """The same from the store."""
        if self.embeddings.store is None:
            wanted = (c.passage for e in self.examples for c in e.candidates)
            self.embeddings.prepare(wanted, self.job.store)
        slots = self.model.encoder.embed([item.query for item in batch], query=True).clone()
        blocks = [
            torch.from_numpy(self.embeddings([Passage("", t) for t in item.texts])[0])
            for item in batch
        ]
        return slots, blocks


def _joined(
    own: Sequence[TrainingList],
    batch: Sequence[TrainingList],
    queries: Embedded,
    passages: Embedded,
) -> tuple[Tensor, list[Tensor]]:
    """The same from a batch's embeddings, which carry a gradient."""
    place = {text: i for i, text in enumerate(texts_of(batch))}
    blocks = [passages.vectors[[place[text] for text in item.texts]] for item in own]
    rows = {item.query_id: i for i, item in enumerate(batch)}
    return queries.vectors[[rows[item.query_id] for item in own]], blocks
