"""What listwise language models share: a window's prompt, fitted to what the model can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines.llm.prompt import Prompt, Template
from resrank.records import Usage
from resrank.reranker import Listed, Request


class Prompts:
    """Prompts of windows, with the passages that they cut counted once a query.

    model: where it says how many tokens a prompt has (`count`) and how many it can read
    (`positions`), passages are cut further until prompt and answer fit.
    """

    def __init__(self, template: Template, words: int | None, answer: int, model: Any) -> None:
        self.template = template
        self.words = words or template.words
        self.answer = answer
        self.model = model
        self.cut: dict[int, set[str]] = {}

    def __call__(
        self, requests: Sequence[Request], windows: Sequence[Sequence[Listed]], usages: list[Usage]
    ) -> list[Prompt]:
        """A prompt a window."""
        return [self._one(requests[w[0][0]][0].text, w, usages[w[0][0]]) for w in windows]

    def _one(self, query: str, window: Sequence[Listed], usage: Usage) -> Prompt:
        texts = [candidate.passage.text for _, candidate in window]
        words = self.words
        prompt = self.template.build(query, texts, words)
        while (over := self._too_long(prompt)) > 0:
            if words == 1:
                raise ValueError(
                    f"a window of {len(texts)} passages does not fit the model's "
                    f"{self.model.positions} positions even with one word of each; use a smaller "
                    "window"
                )
            words = max(1, min(words, _longest(texts)) - max(1, over // (4 * len(texts))))
            prompt = self.template.build(query, texts, words)
        cut = self.cut.setdefault(id(usage), set())
        cut |= {c.passage.id for _, c in window if self.template.cuts(c.passage.text, words)}
        usage.truncated_passages = len(cut)
        return prompt

    def _too_long(self, prompt: Prompt) -> int:
        """Tokens by which prompt and answer exceed the model's positions."""
        if not hasattr(self.model, "positions"):
            return 0
        return int(self.model.count(prompt)) + self.answer - int(self.model.positions)


def _longest(texts: Sequence[str]) -> int:
    return max(len(text.split()) for text in texts)
