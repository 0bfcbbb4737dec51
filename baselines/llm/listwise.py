"""What listwise language models share: a window's prompt, fitted to what the model can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines.llm.prompt import Prompt, Template
from resrank.records import Usage
from resrank.reranker import Listed, Request


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
