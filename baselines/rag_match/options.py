"""Options of RAG-Match: how it judges, and its three stages of training. No torch is needed.

The paper is arXiv 2605.25486. Stage I injects knowledge, stage II aligns hierarchical reasoning,
stage III calibrates.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from baselines.llm.answer_options import AnswerOptions
from baselines.llm.options import BackEnd, TransformersOptions
from resrank.options import Strict
from resrank.reranker_options import RerankerOptions, StageWork, TrainingOptions
from resrank.training.options import MemoryOptions, QueryOptions


class JudgeOptions(AnswerOptions, RerankerOptions):
    """Choose the model that judges and the form in which it reads a pair."""

    llm: TransformersOptions = Field(description="A causal language model in this process.")
    instruction: str = Field(
        "Judge how well the passage answers the query: 0 not, 1 partly, 2 fully.",
        description="Opens the prompt of a pair.",
    )
    words: int = Field(100, ge=1, description="Cut passages to this many words.")
    reasoning: bool = Field(
        False,
        description="Write a reasoning trace before the grade is read. Otherwise the grade is read "
        "at once.",
    )
    max_new_tokens: int = Field(256, ge=1, description="Longest trace, in tokens.")

    @property
    def rejection_limit(self) -> float | None:
        """Return `max_rejected` with reasoning; None without, where nothing is written."""
        return self.max_rejected if self.reasoning else None


class ExtractiveOptions(Strict):
    """Build a document from sentences of the evidence, without a model."""

    kind: Literal["extractive"] = "extractive"


class LlmWriterOptions(Strict):
    """Let a language model write; every answer is recorded beside the trained model."""

    kind: Literal["llm"]
    llm: BackEnd = Field(description="Its back end: transformers, http or replay.")
    max_new_tokens: int = Field(512, ge=1, description="Longest answer, in tokens.")

    @property
    def files(self) -> list[Path]:
        """Return the user's files that this reads."""
        return self.llm.files if self.llm.kind == "replay" else []


class LlmTeacherOptions(AnswerOptions, LlmWriterOptions):
    """Let a language model write the traces; a malformed one is a rejected answer."""


class RuleTeacherOptions(Strict):
    """Derive traces by rules from the pair's grade and texts, without a model."""

    kind: Literal["rules"] = "rules"


SynthesiserOptions = Annotated[ExtractiveOptions | LlmWriterOptions, Field(discriminator="kind")]
TeacherOptions = Annotated[RuleTeacherOptions | LlmTeacherOptions, Field(discriminator="kind")]


class KnowledgeStage(QueryOptions):
    """Stage I: learn to write a query's document from the query alone."""

    instruction: str = Field(
        "Write a passage that answers the query.", description="Opens the prompt of a query."
    )
    queries: Path | None = Field(
        None,
        description="More, unlabelled queries with their first-stage candidates: JSONL in the form "
        "of `export-candidates`, read line by line.",
    )
    batch_queries: int = Field(16, ge=1, description="Documents per step.")
    learning_rate: float = Field(1e-5, gt=0, description="Peak rate of AdamW.")

    @property
    def list_length(self) -> int:
        """Return the number of texts learned per query, for a plan."""
        return 1


class AlignmentStage(QueryOptions):
    """Stage II: learn the teacher's traces, and the grade both after a trace and without one."""

    pairs: int = Field(6, ge=1, description="Pairs per query; its grades take turns.")
    traced: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the pairs, drawn at random, whose trace is learned beside the grade. "
        "With 0, grades alone are learned: label-only tuning.",
    )
    teacher: TeacherOptions = Field(RuleTeacherOptions(), description="Who writes the traces.")
    trace_weight: float = Field(
        1.0, ge=0, description="Weight of the loss on the trace, its grade included."
    )
    label_weight: float = Field(
        1.0, gt=0, description="Weight of the loss on the grade without a trace."
    )
    batch_pairs: int = Field(16, ge=1, description="Pairs per step.")
    learning_rate: float = Field(1e-5, gt=0, description="Peak rate of AdamW.")

    @property
    def list_length(self) -> int:
        """Return the number of texts learned per query, for a plan: grades and traces."""
        return self.pairs + ceil(self.pairs * self.traced)


class CalibrationStage(QueryOptions):
    """Stage III: prefer the right grade's trajectory where the model errs by one grade."""

    share: tuple[float, float] = Field(
        (0.7, 1.0),
        description="Part of the training queries that the model is judged on, in the order of a "
        "hash of their ids. The default excludes the queries of stage II's default.",
    )
    pairs: int = Field(
        6, ge=1, description="Pairs per query, drawn at random from the first stage's list."
    )
    beta: float = Field(0.1, gt=0, description="DPO's beta.")
    preference_weight: float = Field(1.0, ge=0, description="Weight of DPO.")
    label_weight: float = Field(
        1.0, ge=0, description="Weight of the cross-entropy on the grade without a trace."
    )
    label_on: Literal["errors", "all"] = Field(
        "errors",
        description="Pairs whose grades are learned: those that give a preference ('errors'), or "
        "every pair that was judged ('all').",
    )
    batch_pairs: int = Field(16, ge=1, description="Pairs per step.")
    learning_rate: float = Field(5e-6, gt=0, description="Peak rate of AdamW.")

    @property
    def list_length(self) -> int:
        """Return the most texts learned per query, for a plan: a grade and two trajectories."""
        return 3 * self.pairs


JudgeStage = KnowledgeStage | AlignmentStage | CalibrationStage


class JudgeTraining(MemoryOptions, TrainingOptions):
    """Configure the three stages, in their order; null leaves a stage out."""

    evidence: int = Field(3, ge=1, description="Candidates that a document is built from.")
    document_words: int = Field(60, ge=1, description="Longest document, in words.")
    synthesiser: SynthesiserOptions = Field(
        ExtractiveOptions(), description="What builds the documents."
    )
    knowledge: KnowledgeStage | None = KnowledgeStage()
    alignment: AlignmentStage | None = AlignmentStage(share=(0.0, 0.7))
    calibration: CalibrationStage | None = CalibrationStage()

    @model_validator(mode="after")
    def _check_stages(self) -> JudgeTraining:
        if self.knowledge is None and self.alignment is None:
            raise ValueError("no stage: give `knowledge` or `alignment`, or leave out `training`")
        if self.calibration is not None and self.alignment is None:
            raise ValueError(
                "`calibration` needs a model that has learned to judge; give `alignment`, with "
                "`traced: 0` for labels alone"
            )
        return self

    @property
    def stages(self) -> tuple[JudgeStage, ...]:
        """Return the stages that are trained, in their order."""
        stages = (self.knowledge, self.alignment, self.calibration)
        return tuple(stage for stage in stages if stage is not None)

    @property
    def files(self) -> list[Path]:
        """Return the user's files that training reads."""
        paths = [self.knowledge.queries] if self.knowledge and self.knowledge.queries else []
        if isinstance(self.synthesiser, LlmWriterOptions):
            paths += self.synthesiser.files
        teacher = self.alignment.teacher if self.alignment else None
        return paths + (teacher.files if isinstance(teacher, LlmTeacherOptions) else [])

    @property
    def stage_work(self) -> tuple[StageWork, ...]:
        """Return each stage's work."""
        return tuple(stage.work(stage.list_length) for stage in self.stages)
