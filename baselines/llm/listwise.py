"""What listwise language models share: a window's prompt, fitted to what the model can read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from baselines.llm.prompts.template import (
    Prompt,
    Template,
    template,
    template_path,
)
from resrank.efficiency.common_work import text_tokens
from resrank.ranking import Listed, Request
from resrank.records import Usage
from resrank.reranker_options import RerankerOptions, StageWork, TrainingOptions
from resrank.training.options import Economy, Queries
from resrank.windows import Window
from resrank.work import QueryShape


class PromptOptions(RerankerOptions):
    """How passages are shown to a language model."""

    BY_LETTER: ClassVar[bool] = False

    prompt: str = Field("rankgpt", description="A prompt by name, or a .yaml file's path.")
    words: int | None = Field(
        None, ge=1, description="Cut passages to this many words; unset: the prompt's own."
    )

    @field_validator("prompt")
    @classmethod
    def _names_passages_as_asked(cls, value: str) -> str:
        path = template_path(value)
        if value == str(path) and not path.is_file():
            return value  # a user's own file: the planning says that it is missing
        if template(value).by_letter != cls.BY_LETTER:
            found, wanted = ("numbers", "letter") if cls.BY_LETTER else ("letters", "rank")
            raise ValueError(
                f"prompt {value!r} names passages by {found}; use one with {{{wanted}}}"
            )
        return value

    @property
    def files(self) -> list[Path]:
        """The user's own files that this reads."""
        path = template_path(self.prompt)
        return [path] if self.prompt == str(path) else []


class ListwiseOptions(PromptOptions):
    """How a list is shown to a language model."""

    window: Window = Field(Window(), description="Size, step and passes of the windows.")

    @property
    def list_window(self) -> Window:
        """Return the sliding windows that a list is reranked in."""
        return self.window


class ListwiseTraining(Queries, Economy, TrainingOptions):
    """A language model learns to write a window's order (Pradeep et al., 2023, section 3)."""

    teacher: Path | None = Field(
        None, description="JSONL of a teacher's orderings, {'query_id': ..., 'ranking': [passage "
        "ids, best first]} a line; unset: the judged passages first, the rest as they are listed."
    )  # fmt: skip
    list_length: int = Field(20, ge=2, description="Passages in a window.")
    order: Literal["first_stage", "shuffled"] = Field(
        "shuffled", description="Order in which a window's passages are shown."
    )
    batch_queries: int = Field(8, ge=1, description="Windows in one step.")
    learning_rate: float = Field(5e-6, gt=0, description="AdamW's peak rate.")

    @property
    def files(self) -> list[Path]:
        """The user's own files that training reads."""
        return [self.teacher] if self.teacher else []

    @property
    def stage_work(self) -> tuple[StageWork, ...]:
        """Return the one stage's work."""
        return (self.work(self.list_length),)

    @property
    def letter_weight(self) -> float:
        """Return the weight of RankNet on the letters' logits at the first identifier; 0: none."""
        return 0.0


TOKENS_A_WORD = 1.3  # of English text


def expected_prompts(
    options: PromptOptions, sizes: Sequence[int], shape: QueryShape, limit: int | None
) -> Usage:
    """What prompts of so many passages are expected to take, each at most `limit` tokens."""
    shown = template(options.prompt)
    passage = min(shape.passage_tokens, round((options.words or shown.words) * TOKENS_A_WORD))
    queries = sum("{query}" in turn.content for turn in (*shown.opening, *shown.closing))
    total = 0
    for size in sizes:
        fixed = text_tokens(*(turn.content for turn in shown.build("", [""] * size)))
        tokens = fixed + queries * shape.query_tokens + size * passage
        total += min(tokens, limit or tokens)
    return Usage(prompt_tokens=total, model_calls=len(sizes))


def answer_tokens(passages: int) -> int:
    """Tokens of "[1] > [2] > ..." and an end token, by a tokenizer that splits digits."""
    return sum(3 + len(str(rank)) for rank in range(1, passages + 1))


class Prompts:
    """Prompts of windows, with the passages that they cut counted once a query.

    answer: tokens that the model may write. model: where it says how many tokens a prompt has
    (`count`) and how many it can read (`positions`), passages are cut further until prompt and
    answer fit.
    """

    def __init__(
        self, template: Template, words: int | None, answer: int, model: Any,
        requests: Sequence[Request], usages: Sequence[Usage],
    ) -> None:  # fmt: skip
        self.template = template
        self.words = words or template.words
        self.answer = answer
        self.model = model
        self.requests = requests
        self.usages = usages
        self.cut: list[set[int]] = [set() for _ in requests]

    def __call__(self, windows: Sequence[Sequence[Listed]]) -> list[Prompt]:
        """A prompt a window."""
        return [self._one(window) for window in windows]

    def _one(self, window: Sequence[Listed]) -> Prompt:
        row = window[0][0]
        query, candidates = self.requests[row]
        texts = [candidates[place].passage.text for _, place in window]
        prompt, words = fitted(
            self.template, query.text, texts, self.words, self.answer, self.model
        )
        for (_, place), text in zip(window, texts, strict=True):
            if self.template.cuts(text, words):
                self.cut[row].add(place)
        self.usages[row].truncated_passages = len(self.cut[row])
        return prompt


def fitted(
    template: Template, query: str, texts: Sequence[str], words: int, answer: int, model: Any
) -> tuple[Prompt, int]:
    """A window's prompt, its passages cut until prompt and answer fit, and the words of each left.

    Raises ValueError if one word of each is still too much.
    """

    def too_long() -> int:
        if not hasattr(model, "positions"):
            return 0
        return int(model.count(prompt)) + answer - int(model.positions)

    prompt = template.build(query, texts, words)
    while (over := too_long()) > 0:
        if words == 1:
            raise ValueError(
                f"a window of {len(texts)} passages does not fit the model's {model.positions} "
                "positions even with one word of each; use a smaller window"
            )
        words = max(1, min(words, _longest(texts)) - max(1, over // (4 * len(texts))))
        prompt = template.build(query, texts, words)
    return prompt, words


def _longest(texts: Sequence[str]) -> int:
    return max(len(text.split()) for text in texts)
