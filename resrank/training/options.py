"""Options of the training of an encoder and of ResRank, with parts that baselines share."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from resrank.options import Strict
from resrank.reranker_options import QuerySource, StageWork, TeacherWork, TrainingOptions
from resrank.training.teacher_options import (
    ENCODER,
    TEACHER,
    FilteredNegatives,
    QueryShare,
    TaughtLists,
    teacher_files,
    teacher_systems,
)

OWN_TEXT_STAGE = "bm25"
"""The kind of first stage that lists candidates for pseudo-queries."""


class QueryOptions(QueryShare):
    """Select the training queries and the number of passes over them."""

    epochs: int = Field(1, ge=1, description="Passes over the training queries.")
    max_queries: int | None = Field(None, ge=1, description="Use only this many queries.")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps that warm up.")
    accumulate: int = Field(
        1,
        ge=1,
        description="Batches whose gradients are averaged for one step: a larger batch in the "
        "memory of a small one. InfoNCE's negatives come from one batch.",
    )

    def work(self, texts: int, *, trains_encoder: bool = True) -> StageWork:
        """Return what a stage over these queries reads, with `texts` passages per query."""
        return StageWork(self.epochs, texts, self.share, self.max_queries, trains_encoder)


class PseudoQueryOptions(FilteredNegatives, QueryOptions):
    """Select labelled queries, or pseudo-queries from the training collection's own text."""

    queries: QuerySource = Field(
        "labelled",
        description="'labelled': the collection's train queries; 'own_text': `max_queries` "
        "pseudo-queries. A passage's title, or else its first sentence, must find the rest of the "
        "passage. It needs no labels.",
    )

    @model_validator(mode="after")
    def _bounded_pseudo_queries(self) -> PseudoQueryOptions:
        if self.queries == "labelled":
            return self
        if self.max_queries is None:
            raise ValueError(
                "`queries: own_text` needs `max_queries`, the number of pseudo-queries to draw"
            )
        if self.share != (0.0, 1.0):
            raise ValueError(
                f"`share: {list(self.share)}` selects labelled queries; with `queries: own_text`, "
                "`max_queries` alone says how many are drawn"
            )
        if self.teacher_names:
            raise ValueError(
                f"teacher {self.teacher_names[0]!r} ranks labelled queries; with `queries: "
                "own_text`, leave `teacher` and `negative_filter` out"
            )
        return self

    @property
    def needs_labels(self) -> bool:
        """Whether it learns from the collection's train queries."""
        return self.queries == "labelled"

    @property
    def pseudo_queries(self) -> int:
        """Return the most pseudo-queries that are drawn."""
        return 0 if self.needs_labels else self.max_queries or 0

    def work(self, texts: int, *, trains_encoder: bool = True) -> StageWork:
        """Return what a stage over these queries reads, with `texts` passages per query."""
        return super().work(texts, trains_encoder=trains_encoder)._replace(queries=self.queries)


class ListTraining(TaughtLists, QueryOptions, TrainingOptions):
    """Train in one stage on lists that the qrels or a teacher's orderings grade."""

    list_length: int = Field(20, ge=2, description="Passages in a training list.")

    @property
    def rankings(self) -> list[Path]:
        """Return the teacher's file, if there is one."""
        return teacher_files([self.teacher])

    @property
    def teachers(self) -> tuple[TeacherWork, ...]:
        """Return the teaching system, if there is one."""
        systems = teacher_systems([self.teacher])
        return tuple(TeacherWork(name, self.share, self.list_length) for name in systems)

    @property
    def stage_work(self) -> tuple[StageWork, ...]:
        """Return the one stage's work."""
        return (self.work(self.list_length),)


class PrecisionOptions(Strict):
    """Choose the number format in which training computes."""

    autocast: bool | None = Field(
        None,
        description="Compute in bfloat16 with float32 weights; unset: where the hardware "
        "multiplies bfloat16 natively.",
    )


class LoraOptions(Strict):
    """Train low-rank adapters on every linear layer of the trained models (Hu et al., 2022)."""

    rank: int = Field(16, ge=1, description="Rank of the adapters.")
    alpha: int = Field(32, ge=1, description="The adapters' scale is alpha / rank.")


class MemoryOptions(PrecisionOptions):
    """Save memory in the training of a large model."""

    lora: LoraOptions | None = Field(
        None, description="Train adapters in place of the weights; saving merges them."
    )
    gradient_checkpointing: bool = Field(
        False,
        description="Keep only each layer's input and recompute the rest: less memory, more time.",
    )

    @property
    def recomputes(self) -> bool:
        """Whether gradient checkpointing runs forward passes twice."""
        return self.gradient_checkpointing


class InfoNceOptions(PrecisionOptions):
    """Configure InfoNCE and its gradient through an encoder."""

    temperature: float = Field(0.05, gt=0, description="InfoNCE's temperature.")
    chunk_tokens: int | None = Field(
        None,
        ge=8,
        description="Compute the encoder's gradient in chunks of this many padded tokens "
        "(gradient caching), so that memory does not grow with the batch; unset: in one piece.",
    )

    @property
    def recomputes(self) -> bool:
        """Whether gradient caching runs the encoder's forward passes twice."""
        return self.chunk_tokens is not None


class ListOptions(TaughtLists, FilteredNegatives, QueryOptions):
    """Select the passages of training lists, and who grades them."""

    list_length: int = Field(100, ge=2, description="Passages in a training list.")
    negatives: Literal["top", "sampled"] = Field(
        "top",
        description="'top': a list holds the first stage's best passages; 'sampled': one relevant "
        "passage and irrelevant candidates drawn at random.",
    )

    @model_validator(mode="after")
    def _teacher_orders_or_filters(self) -> ListOptions:
        if self.teacher not in (None, ENCODER) and self.negatives == "sampled":
            raise ValueError(
                "a `teacher` orders the first stage's list: it goes with `negatives: top`, not "
                "with `negatives: sampled`, whose lists depend on the qrels"
            )
        if self.negative_filter is not None and self.negatives == "top":
            raise ValueError(
                "a `negative_filter` goes with `negatives: sampled`; with `negatives: top` a list "
                "holds every candidate, and a `teacher` orders them"
            )
        return self

    @property
    def teacher_names(self) -> list[str]:
        """Return every teacher that the options name, a system or a file."""
        orders = [] if self.teacher in (None, ENCODER) else [self.teacher]
        return [*orders, *super().teacher_names]

    @property
    def teachers(self) -> tuple[TeacherWork, ...]:
        """Return the teaching systems: one that orders lists ranks as many as a list holds."""
        depth = self.list_length if self.teacher else None
        systems = teacher_systems(self.teacher_names)
        return tuple(TeacherWork(name, self.share, depth) for name in systems)


class TrainingStage(PseudoQueryOptions, ListOptions):
    """Configure one stage of training: its queries, its lists, its losses, its rates."""

    encoder_teaches: ClassVar[bool] = True
    batch_queries: int = Field(16, ge=1, description="Lists per step.")
    order: Literal["first_stage", "shuffled"] = Field(
        "first_stage",
        description="Order of the passages in a training list; a model is served lists in "
        "first-stage order.",
    )
    teacher: str | None = Field(
        None,
        description=f"Who orders the lists, in place of the qrels: {TEACHER}; or 'encoder', the "
        "frozen encoder's cosines, so that the reranker learns to read its embeddings (alignment). "
        "Queries without an ordering are left out. Unset: the qrels grade the lists.",
    )
    train_encoder: bool = Field(False, description="Whether gradients reach the encoder.")
    ranking_weight: float = Field(1.0, ge=0, description="Weight of RankNet on the scores.")
    retrieval_weight: float = Field(
        1.0, ge=0, description="Weight of InfoNCE on the encoder, where it is trained."
    )
    learning_rate: float = Field(1e-4, gt=0, description="Peak rate of AdamW, reranker.")
    encoder_learning_rate: float = Field(2e-5, gt=0, description="Peak rate of AdamW, encoder.")
    scale_learning_rate: float = Field(
        1e-3,
        ge=0,
        description="Peak rate of AdamW for the logarithm of RankNet's factor on cosines, which "
        "starts at log 20; 0 keeps the factor at 20.",
    )
    dev_queries: int = Field(
        0, ge=0, description="Dev queries reranked after each epoch, for early stopping; 0: none."
    )
    patience: int = Field(
        1, ge=1, description="Epochs without a better dev score after which the stage ends."
    )
    max_tokens: int | None = Field(
        None,
        ge=8,
        description="Cut passages to this many tokens where the encoder is trained; unset: the "
        "encoder's limit.",
    )

    @model_validator(mode="after")
    def _encoder_teaches_or_learns(self) -> TrainingStage:
        if self.teacher == ENCODER and self.train_encoder:
            raise ValueError(
                "`teacher: encoder` orders lists by the encoder's own cosines, from which it "
                "cannot learn itself; leave `train_encoder` out"
            )
        return self


class EncoderTraining(PseudoQueryOptions, InfoNceOptions, TrainingOptions):
    """Train an encoder alone with InfoNCE, with in-batch and first-stage negatives."""

    batch_queries: int = Field(32, ge=2, description="Queries per step.")
    negatives: int = Field(1, ge=1, description="Negatives per query, from its candidates.")
    learning_rate: float = Field(2e-5, gt=0, description="Peak rate of AdamW.")
    max_tokens: int | None = Field(
        None, ge=8, description="Cut passages to this many tokens; unset: the encoder's limit."
    )

    @property
    def stage_work(self) -> tuple[StageWork, ...]:
        """Return the one stage's work."""
        return (self.work(1 + self.negatives),)


class ResRankTraining(InfoNceOptions, MemoryOptions, TrainingOptions):
    """Configure ResRank's stages, one after the other, and what they share."""

    stages: tuple[TrainingStage, ...] = Field(
        (TrainingStage(),), min_length=1, description="In their order."
    )
    train_token_embeddings: bool = Field(
        False, description="Whether the reranker's token embeddings are trained too."
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
    def needs_labels(self) -> bool:
        """Whether any stage learns from the collection's train queries."""
        return any(stage.needs_labels for stage in self.stages)

    @property
    def pseudo_queries(self) -> int:
        """Return the most pseudo-queries that a stage draws; smaller stages draw some of them."""
        return max(stage.pseudo_queries for stage in self.stages)

    @property
    def rankings(self) -> list[Path]:
        """Return the teachers' files."""
        return [path for stage in self.stages for path in stage.rankings]

    @property
    def teachers(self) -> tuple[TeacherWork, ...]:
        """Return the teaching systems of all stages."""
        return tuple(work for stage in self.stages for work in stage.teachers)

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
