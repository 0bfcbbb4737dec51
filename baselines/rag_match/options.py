"""RAG-Match's options: how it judges, and its three stages of training. No torch here."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from baselines.llm.options import BackEnd, TransformersOptions
from resrank.options import Strict
from resrank.reranker_options import RerankerOptions, StageWork, TrainingOptions
from resrank.training.options import Economy, Queries


class JudgeOptions(RerankerOptions):
    """Which model judges, and how a pair is shown to it."""

    llm: TransformersOptions = Field(description="A causal language model in this process.")
    instruction: str = Field(
        "Judge how well the passage answers the query: 0 not, 1 partly, 2 fully.",
        description="Opens the prompt of a pair.",
    )
    words: int = Field(100, ge=1, description="Cut passages to this many words.")
    reasoning: bool = Field(
        False, description="Write the trace before the grade is read; else it is read at once."
    )
    max_new_tokens: int = Field(256, ge=1, description="Longest trace, in tokens.")


class Extractive(Strict):
    """A document of the evidence's own sentences: no model."""

    kind: Literal["extractive"] = "extractive"


class Written(Strict):
    """What a language model writes, every answer recorded beside the trained model."""

    kind: Literal["llm"]
    llm: BackEnd = Field(description="Its back end: transformers, http or replay.")
    max_new_tokens: int = Field(512, ge=1, description="Longest answer, in tokens.")

    @property
    def files(self) -> list[Path]:
        """The user's own files that this reads."""
        return self.llm.files if self.llm.kind == "replay" else []


class Rules(Strict):
    """A teacher of rules over the pair's grade and text: no model."""

    kind: Literal["rules"] = "rules"


Synthesiser = Annotated[Extractive | Written, Field(discriminator="kind")]
Teacher = Annotated[Rules | Written, Field(discriminator="kind")]


class Knowledge(Queries):
    """Stage I: learn to write a query's document from the query alone."""

    instruction: str = Field(
        "Write a passage that answers the query.", description="Opens the prompt of a query."
    )
    queries: Path | None = Field(
        None, description="More queries, unlabelled, with their first-stage candidates: JSONL in "
        "the form of `export-candidates`, read line by line."
    )  # fmt: skip
    batch_queries: int = Field(16, ge=1, description="Documents in one step.")
    learning_rate: float = Field(1e-5, gt=0, description="AdamW's peak rate.")

    @property
    def list_length(self) -> int:
        """Texts that a query is learned from, for a plan."""
        return 1


class Alignment(Queries):
    """Stage II: learn the teacher's traces, and the grade behind and without them."""

    pairs: int = Field(6, ge=1, description="Pairs a query, its grades in turn.")
    traced: float = Field(
        1.0, ge=0, le=1, description="Share of the pairs, drawn at random, of which a trace is "
        "learned beside the grade; 0: grades alone, which is label-only tuning."
    )  # fmt: skip
    teacher: Teacher = Field(Rules(), description="Who writes the traces.")
    trace_weight: float = Field(1.0, ge=0, description="Weight of the trace with its grade.")
    label_weight: float = Field(
        1.0, gt=0, description="Weight of the grade that is read without a trace."
    )
    batch_pairs: int = Field(16, ge=1, description="Pairs in one step.")
    learning_rate: float = Field(1e-5, gt=0, description="AdamW's peak rate.")

    @property
    def list_length(self) -> int:
        """Texts that a query is learned from, for a plan: each pair's grade, and traces."""
        return self.pairs + ceil(self.pairs * self.traced)


class Calibration(Queries):
    """Stage III: prefer the right grade's trajectory where the model is wrong by one grade."""

    share: tuple[float, float] = Field(
        (0.7, 1.0), description="Part of the training queries that it is judged on, in the order "
        "of a hash of their ids: other ones than stage two saw."
    )  # fmt: skip
    pairs: int = Field(6, ge=1, description="Pairs a query, drawn as the first stage lists them.")
    beta: float = Field(0.1, gt=0, description="DPO's beta.")
    preference_weight: float = Field(1.0, ge=0, description="Weight of DPO.")
    label_weight: float = Field(
        1.0, ge=0, description="Weight of the labels' cross-entropy, where no trace is written."
    )
    label_on: Literal["errors", "all"] = Field(
        "errors", description="Pairs whose labels are learned: those of preferences, or every one "
        "that was judged."
    )  # fmt: skip
    batch_pairs: int = Field(16, ge=1, description="Pairs in one step.")
    learning_rate: float = Field(5e-6, gt=0, description="AdamW's peak rate.")

    @property
    def list_length(self) -> int:
        """Texts that a query is learned from at most, for a plan: a grade and two trajectories."""
        return 3 * self.pairs


class JudgeTraining(Economy, TrainingOptions):
    """The stages in their order; one that is left out is null."""

    evidence: int = Field(3, ge=1, description="Candidates that a document is made of.")
    document_words: int = Field(60, ge=1, description="Longest document, in words.")
    synthesiser: Synthesiser = Field(Extractive(), description="What makes the documents.")
    knowledge: Knowledge | None = Knowledge()
    alignment: Alignment | None = Alignment(share=(0.0, 0.7))
    calibration: Calibration | None = Calibration()

    @model_validator(mode="after")
    def _stages_that_stand(self) -> JudgeTraining:
        if self.knowledge is None and self.alignment is None:
            raise ValueError("no stage: give `knowledge` or `alignment`, or leave out `training`")
        if self.calibration is not None and self.alignment is None:
            raise ValueError(
                "`calibration` needs a model that has learned to judge; give `alignment`, with "
                "`traced: 0` for labels alone"
            )
        return self

    @property
    def stages(self) -> tuple[Knowledge | Alignment | Calibration, ...]:
        """Those that are gone through."""
        named = (self.knowledge, self.alignment, self.calibration)
        return tuple(stage for stage in named if stage is not None)

    @property
    def files(self) -> list[Path]:
        """The user's own files that training reads."""
        named = [self.knowledge.queries] if self.knowledge and self.knowledge.queries else []
        named += self.synthesiser.files if isinstance(self.synthesiser, Written) else []
        teacher = self.alignment.teacher if self.alignment else None
        return named + (teacher.files if isinstance(teacher, Written) else [])

    @property
    def stage_work(self) -> tuple[StageWork, ...]:
        """Return each stage's work."""
        return tuple(stage.work(stage.list_length) for stage in self.stages)
