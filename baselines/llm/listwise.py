"""What listwise language models share: a window's prompt, fitted to what the model can read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from baselines.llm.prompt import Prompt, Template, template, template_path
from resrank.records import Usage
from resrank.reranker import Listed, Request
from resrank.strict import Strict
from resrank.windows import Window


class ListwiseOptions(Strict):
    """How a window is shown to a language model."""

    BY_LETTER: ClassVar[bool] = False

    prompt: str = Field("rankgpt", description="A prompt by name, or a .yaml file's path.")
    window: Window = Field(Window(), description="Size, step and passes of the windows.")
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
        words = self.words
        prompt = self.template.build(query.text, texts, words)
        while (over := self._too_long(prompt)) > 0:
            if words == 1:
                raise ValueError(
                    f"a window of {len(texts)} passages does not fit the model's "
                    f"{self.model.positions} positions even with one word of each; use a smaller "
                    "window"
                )
            words = max(1, min(words, _longest(texts)) - max(1, over // (4 * len(texts))))
            prompt = self.template.build(query.text, texts, words)
        for (_, place), text in zip(window, texts, strict=True):
            if self.template.cuts(text, words):
                self.cut[row].add(place)
        self.usages[row].truncated_passages = len(self.cut[row])
        return prompt

    def _too_long(self, prompt: Prompt) -> int:
        """Tokens by which prompt and answer exceed the model's positions."""
        if not hasattr(self.model, "positions"):
            return 0
        return int(self.model.count(prompt)) + self.answer - int(self.model.positions)


def _longest(texts: Sequence[str]) -> int:
    return max(len(text.split()) for text in texts)
