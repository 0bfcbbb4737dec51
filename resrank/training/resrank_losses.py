"""The losses of one stage of ResRank's training, and their gradients."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from resrank.model.device import autocast
from resrank.model.passage_embeddings import PassageEmbeddings
from resrank.model.residual import ListStates
from resrank.model.resrank import Lists, ResRank
from resrank.records import Passage, TrainingExample
from resrank.reranker import TrainingJob
from resrank.training.encoder_loop import embed, retrieval_loss, texts_of
from resrank.training.gradient_cache import Embedded
from resrank.training.lists import TrainingList
from resrank.training.losses import ranknet
from resrank.training.options import ResRankTraining, TrainingStage
from resrank.training.processes import processes
from resrank.training.state_measures import RATIO, SMALLEST_RATIO, state_measures
from resrank.training.teacher_options import ENCODER

ABOVE_COSINES = 3.0
"""More than two cosines can differ by, so that a grade counts for more than any cosine."""


class StageLosses:
    """Adds the gradients of one batch of lists to the model's parameters."""

    def __init__(
        self,
        model: ResRank,
        options: ResRankTraining,
        stage: TrainingStage,
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
        self.measures: dict[str, float] = {}

    def __call__(self, batch: Sequence[TrainingList]) -> dict[str, float]:
        """Add the gradients of this process's share; return the whole batch's losses by name."""
        if self.stage.train_encoder:
            return self._joint(batch)
        lists = self._share(batch)
        embedded = self._frozen(lists, batch)
        with autocast(self.options.autocast, self.device):
            loss = self._ranking(lists, len(batch), *embedded)
        (loss * self.stage.ranking_weight).backward()  # type: ignore[no-untyped-call]
        return {"ranking": self._total(loss), **self.measures}

    def _joint(self, batch: Sequence[TrainingList]) -> dict[str, float]:
        """The same for a stage that trains the encoder."""
        stage, options = self.stage, self.options
        queries, passages = embed(
            self.model.encoder, batch, stage.max_tokens, options.chunk_tokens, options.autocast
        )
        retrieval = retrieval_loss(batch, queries, passages, options.temperature)
        losses = {"retrieval": retrieval / self.run.count}  # Every process computes the whole loss.
        if stage.ranking_weight:
            lists = self._share(batch)
            embedded = _embedded_lists(lists, batch, queries, passages)
            with autocast(options.autocast, self.device):
                losses["ranking"] = self._ranking(lists, len(batch), *embedded)
        weights = {"retrieval": stage.retrieval_weight, "ranking": stage.ranking_weight}
        total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        total.backward()  # type: ignore[no-untyped-call]
        passages.backward()
        queries.backward()
        return {name: self._total(loss) for name, loss in losses.items()} | self.measures

    def _share(self, batch: Sequence[TrainingList]) -> list[TrainingList]:
        """Return the lists that this process ranks.

        With sharded weights each process must rank at least one list. A process without one ranks
        the batch's first without grades, whose loss is zero.
        """
        lists = self.run.share(batch)
        return lists or [batch[0]._replace(grades=[])]

    def _total(self, loss: Tensor) -> float:
        return self.run.add_up(loss.detach().clone()).item()

    def _ranking(
        self,
        lists: Sequence[TrainingList],
        batch_size: int,
        slots: Tensor,
        blocks: Sequence[Tensor],
    ) -> Tensor:
        """Return this process's part of the batch's mean RankNet loss over scaled cosines.

        slots: (lists, width) query embeddings. blocks: per list (passages, width) embeddings.
        """
        prompts = [self.model.query_tokens(item.query, item.instruction)[0] for item in lists]
        states = self.model.states(
            Lists(prompts, slots if self.model.options.query_slot else None, blocks)
        )
        self._measure(states)
        scale = self.model.log_scale.exp()
        losses = []
        for listed, item, slot, block in zip(states, lists, slots, blocks, strict=True):
            scores = self.model.scores(listed)
            losses.append(
                ranknet(scores * scale, self._grades(item, slot, block).to(scores.device))
            )
        return torch.stack(losses).sum() / batch_size

    def _grades(self, item: TrainingList, slot: Tensor, block: Tensor) -> Tensor:
        """Return the order to learn, (passages,): the labels, or the encoder's cosines.

        slot: (width,) the query's embedding. block: (passages, width).
        """
        if not item.grades:
            return torch.zeros(len(block))
        labels = torch.tensor(item.grades)
        if self.stage.teacher != ENCODER:
            return labels
        cosines = torch.nn.functional.cosine_similarity(block.detach(), slot.detach(), dim=-1)
        return cosines + ABOVE_COSINES * labels if self.stage.labels == "first" else cosines

    def _measure(self, states: Sequence[ListStates]) -> None:
        """Keep the step's measures for its log row; warn once about a residual without effect."""
        options = self.model.options
        residual, weight = options.residual, options.residual_weight
        first = not self.measures
        self.measures = state_measures(states, residual, weight, self.run.add_up)
        self.measures["scale"] = float(self.model.log_scale.detach().exp())
        ratio = self.measures[RATIO]
        if first and self.run.is_main and 0 < ratio < SMALLEST_RATIO:
            warnings.warn(
                f"the residual is {ratio:.3f} times as long as the reranker's states, so that it "
                f"has next to no effect; set `residual: norm_matched`, or a `residual_weight` "
                f"above {weight:g}",
                stacklevel=2,
            )

    def _frozen(
        self, lists: Sequence[TrainingList], batch: Sequence[TrainingList]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return query and passage embeddings of an encoder that this stage does not train.

        A sharded encoder cannot fill a store, so all processes embed each batch together.
        """
        if not (self.run.sharded and self.options.trains_encoder):
            return self._stored(lists)
        chunk_tokens = self.options.chunk_tokens
        embedded = embed(self.model.encoder, batch, None, chunk_tokens, mixed=False)
        slots, blocks = _embedded_lists(lists, batch, *embedded)
        return slots.detach(), [block.detach() for block in blocks]

    @property
    def _store(self) -> Path:
        """The folder of the stage's passage embeddings.

        Passages without their pseudo-queries go into a store of this job alone. In the shared one,
        their batches would depend on which job came first.
        """
        own_text = self.stage.queries == "own_text"
        return self.job.checkpoints / "own_text" if own_text else self.job.store

    def _stored(self, lists: Sequence[TrainingList]) -> tuple[Tensor, list[Tensor]]:
        """Return query embeddings, and passage embeddings from the store, which is filled once."""
        if self.embeddings.store is None:
            passages = (c.passage for e in self.examples for c in e.candidates)
            self.embeddings.prepare(passages, self._store)
        queries, told = [item.query for item in lists], [item.instruction for item in lists]
        slots = self.model.encoder.embed(queries, query=True, instructions=told).clone()
        blocks = [
            torch.from_numpy(self.embeddings([Passage("", t) for t in item.texts])[0])
            for item in lists
        ]
        return slots, blocks


def _embedded_lists(
    lists: Sequence[TrainingList],
    batch: Sequence[TrainingList],
    queries: Embedded,
    passages: Embedded,
) -> tuple[Tensor, list[Tensor]]:
    """Return the lists' query and passage embeddings, with gradients, from the whole batch's."""
    place = {text: i for i, text in enumerate(texts_of(batch))}
    blocks = [passages.vectors[[place[text] for text in item.texts]] for item in lists]
    rows = {item.query_id: i for i, item in enumerate(batch)}
    return queries.vectors[[rows[item.query_id] for item in lists]], blocks
