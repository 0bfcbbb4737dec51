"""E2Rank's options and training options."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from resrank.model.options import UnitEncoder
from resrank.reranker_options import RerankerOptions, StageWork, TrainingOptions
from resrank.training.options import InfoNceOptions, ListOptions


class E2RankOptions(RerankerOptions):
    """Which encoder, and what its prompt holds."""

    encoder: UnitEncoder = Field(description="A decoder that embeds by its last token.")
    task: str = Field(
        "Given a web search query and some relevant documents, rerank the documents that "
        "answer the query:",
        description="Opens the prompt.",
    )
    prompt_passages: int = Field(20, ge=1, description="Candidates that the prompt holds.")
    words: int = Field(1024, ge=1, description="Their length in the prompt, in words.")
    chat: bool = Field(True, description="Wrap the prompt in the model's chat template.")
    batch_prompts: int = Field(4, ge=1, description="Prompts in one forward pass.")


class E2RankTraining(ListOptions, InfoNceOptions, TrainingOptions):
    """InfoNCE on the query alone and RankNet on the listwise prompt (section 3.2)."""

    batch_queries: int = Field(16, ge=2, description="Queries per step.")
    list_length: int = Field(16, ge=2, description="Passages in a training list.")
    order: Literal["first_stage", "shuffled"] = Field(
        "first_stage", description="Order of a list's passages in the prompt."
    )
    temperature: float = Field(0.03, gt=0, description="InfoNCE's temperature.")
    ranking_weight: float = Field(2.0, gt=0, description="Weight of RankNet.")
    ranking_scale: float = Field(10.0, gt=0, description="RankNet's factor on cosines.")
    learning_rate: float = Field(5e-6, gt=0, description="AdamW's peak rate.")
    max_tokens: int | None = Field(
        None, ge=8, description="Cut passages to this many tokens; unset: the encoder's limit."
    )

    @property
    def stage_work(self) -> tuple[StageWork, ...]:
        """Return the one stage's work."""
        return (self.work(self.list_length),)
