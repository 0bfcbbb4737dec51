"""How an encoder and ResRank are trained, as a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from resrank.options import Strict
from resrank.reranker_options import StageWork, TrainingOptions


class Queries(Strict):
    """Which training queries are gone through, and how often."""

    epochs: int = Field(1, ge=1, description="Passes over the training queries.")
    share: tuple[float, float] = Field(
        (0.0, 1.0), description="Part of the training queries that is used, in the order of a hash "
        "of their ids. Who learns from a trained encoder's scores must see them on other queries "
        "than that encoder was trained on."
    )  # fmt: skip
    max_queries: int | None = Field(None, ge=1, description="Use only this many queries.")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps that warm up.")
    accumulate: int = Field(
        1, ge=1, description="Batches whose gradients are averaged for one step: a larger batch in "
        "the memory of a small one (InfoNCE's negatives stay those of one)."
    )  # fmt: skip

    def work(self, texts: int, *, trains_encoder: bool = True) -> StageWork:
        """Return what a stage over these queries reads, with `texts` passages per query."""
        return StageWork(self.epochs, texts, self.share, self.max_queries, trains_encoder)


class Precision(Strict):
    """In which numbers a training computes."""

    autocast: bool | None = Field(
        None, description="Compute in bfloat16, keep float32 weights; unset: where the hardware "
        "multiplies bfloat16 natively."
    )  # fmt: skip


class Lora(Strict):
    """Low-rank adapters on every linear layer of the models that are trained (Hu et al., 2022)."""

    rank: int = Field(16, ge=1, description="Rank of the adapters.")
    alpha: int = Field(32, ge=1, description="Their scale is alpha / rank.")


class Economy(Precision):
    """How a large model is trained in little memory."""

    lora: Lora | None = Field(
        None, description="Train adapters in place of the weights; they are merged on saving."
    )
    gradient_checkpointing: bool = Field(
        False, description="Keep only what enters each layer and compute the rest again: less "
        "memory, more time."
    )  # fmt: skip

    @property
    def recomputes(self) -> bool:
        """Whether gradient checkpointing runs forward passes twice."""
        return self.gradient_checkpointing


class Retrieval(Precision):
    """How InfoNCE's gradient through an encoder is computed."""

    temperature: float = Field(0.05, gt=0, description="InfoNCE's temperature.")
    chunk_tokens: int | None = Field(
        None, ge=8, description="Compute the encoder's gradient in chunks of this many padded "
        "tokens (gradient caching), so that memory does not grow with the batch; unset: at "
        "once."
    )  # fmt: skip

    @property
    def recomputes(self) -> bool:
        """Whether gradient caching runs the encoder's forward passes twice."""
        return self.chunk_tokens is not None


class Stage(Queries):
    """One stage of training: its lists, its losses, its rates."""

    teacher: Path | None = Field(
        None, description="JSONL of a teacher's orderings, {'query_id': ..., 'ranking': [passage "
        "ids, best first]} a line: lists are graded by them in place of the qrels; queries that it "
        "did not order are left out."
    )  # fmt: skip
    batch_queries: int = Field(16, ge=1, description="Lists in one step.")
    list_length: int = Field(100, ge=2, description="Passages in a training list.")
    negatives: Literal["top", "sampled"] = Field(
        "top", description="'top': a list is the first stage's best; 'sampled': one relevant "
        "passage and candidates drawn at random that are not."
    )  # fmt: skip
    order: Literal["first_stage", "shuffled"] = Field(
        "shuffled", description="Order in which a training list is fed."
    )
    train_encoder: bool = Field(False, description="Whether gradients reach the encoder.")
    ranking_weight: float = Field(1.0, ge=0, description="Weight of RankNet on the scores.")
    retrieval_weight: float = Field(
        1.0, ge=0, description="Weight of InfoNCE on the encoder, where it is trained."
    )
    learning_rate: float = Field(1e-4, gt=0, description="AdamW's peak rate, reranker.")
    encoder_learning_rate: float = Field(2e-5, gt=0, description="AdamW's peak rate, encoder.")
    dev_queries: int = Field(
        0, ge=0, description="Dev queries reranked after each epoch, for early stopping; 0: none."
    )
    patience: int = Field(1, ge=1, description="Epochs without a better dev score that end it.")
    max_tokens: int | None = Field(
        None, ge=8, description="Cut passages to this many tokens where the encoder is trained; "
        "unset: the encoder's own limit."
    )  # fmt: skip

    @model_validator(mode="after")
    def _teacher_orders_the_list(self) -> Stage:
        if self.teacher is not None and self.negatives == "sampled":
            raise ValueError(
                "a `teacher` orders the first stage's list: it goes with `negatives: top`, not "
                "with a list that is sampled by the qrels"
            )
        return self


class EncoderTraining(Queries, Retrieval, TrainingOptions):
    """InfoNCE on an encoder alone, with in-batch and first-stage negatives."""

    batch_queries: int = Field(32, ge=2, description="Queries in one step.")
    negatives: int = Field(1, ge=1, description="Negatives a query, from its candidates.")
    learning_rate: float = Field(2e-5, gt=0, description="AdamW's peak rate.")
    max_tokens: int | None = Field(
        None, ge=8, description="Cut passages to this many tokens; unset: the encoder's own limit."
    )

    @property
    def stage_work(self) -> tuple[StageWork, ...]:
        """Return the one stage's work."""
        return (self.work(1 + self.negatives),)


class ResRankTraining(Retrieval, Economy, TrainingOptions):
    """Stages one after the other, and what they share."""

    stages: tuple[Stage, ...] = Field((Stage(),), min_length=1, description="In their order.")
    train_token_embeddings: bool = Field(
        False, description="Whether the reranker's vocabulary is trained too."
    )

    @model_validator(mode="after")
    def _adapters_leave_tokens_alone(self) -> ResRankTraining:
        if self.lora is not None and self.train_token_embeddings:
            raise ValueError("`lora` adapts linear layers; it cannot train token embeddings")
        return self

    @property
    def trains_encoder(self) -> bool:
        """Whether any stage's gradients reach the encoder."""
        return any(stage.train_encoder for stage in self.stages)

    @property
    def files(self) -> list[Path]:
        """Return the teachers' files."""
        return [stage.teacher for stage in self.stages if stage.teacher is not None]

    @property
    def uses_dev_queries(self) -> bool:
        """Whether any stage scores dev queries after its epochs."""
        return any(stage.dev_queries for stage in self.stages)

    @property
    def recomputes(self) -> bool:
        """Whether forward passes run a second time for the gradients."""
        return self.gradient_checkpointing or self.chunk_tokens is not None

    @property
    def stage_work(self) -> tuple[StageWork, ...]:
        """Return each stage's work."""
        return tuple(
            stage.work(stage.list_length, trains_encoder=stage.train_encoder)
            for stage in self.stages
        )
