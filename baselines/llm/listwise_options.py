"""Options of listwise language models: their prompt, their windows and their training."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from baselines.llm.prompts.template import template, template_path
from resrank.reranker_options import RerankerOptions
from resrank.training.options import ListTraining, MemoryOptions
from resrank.training.teacher_options import TEACHER
from resrank.windows import Window


class PromptOptions(RerankerOptions):
    """How passages are presented to a language model."""

    BY_LETTER: ClassVar[bool] = False

    prompt: str = Field("rankgpt", description="A prompt by name, or a .yaml file's path.")
    words: int | None = Field(
        None, ge=1, description="Cut passages to this many words; unset: the prompt's limit."
    )

    @field_validator("prompt")
    @classmethod
    def _check_identifiers(cls, value: str) -> str:
        """Check that the prompt labels passages as the system reads them: by letter or number."""
        path = template_path(value)
        if value == str(path) and not path.is_file():
            return value  # a user's file: planning reports that it is missing
        if template(value).by_letter != cls.BY_LETTER:
            labels, wanted = ("numbers", "letter") if cls.BY_LETTER else ("letters", "rank")
            raise ValueError(
                f"prompt {value!r} names passages by {labels}; use one with {{{wanted}}}"
            )
        return value

    @property
    def files(self) -> list[Path]:
        """Return the user's files that these options name."""
        path = template_path(self.prompt)
        return [path] if self.prompt == str(path) else []


class ListwiseOptions(PromptOptions):
    """How a list is presented to a language model."""

    window: Window = Field(Window(), description="Size, step and passes of the windows.")

    @property
    def list_window(self) -> Window:
        """Return the sliding windows that a list is reranked in."""
        return self.window


class ListwiseTraining(MemoryOptions, ListTraining):
    """A language model learns to write a window's order (Pradeep et al., 2023, section 3)."""

    teacher: str | None = Field(
        None,
        description=f"Who orders a window: {TEACHER}. Unset: the judged passages come first, then "
        "the rest in list order.",
    )
    list_length: int = Field(20, ge=2, description="Passages in a window.")
    order: Literal["first_stage", "shuffled"] = Field(
        "shuffled",
        description="Order in which a window's passages are presented. RankVicuna's recipe "
        "shuffles them, so that the model does not copy its input; windows are served in an order "
        "that it has changed in part. 'first_stage': as the first window is served.",
    )
    batch_queries: int = Field(8, ge=1, description="Windows in one step.")
    learning_rate: float = Field(5e-6, gt=0, description="AdamW's peak rate.")

    @property
    def letter_weight(self) -> float:
        """Return the weight of RankNet on the letters' logits at the first identifier; 0: none."""
        return 0.0
