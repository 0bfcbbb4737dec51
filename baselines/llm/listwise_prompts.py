"""Prompts of windows, fitted to the model's input limit, and the tokens that they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from baselines.llm.interface import Prompt
from baselines.llm.listwise_options import PromptOptions
from baselines.llm.prompts.template import Template, template
from baselines.llm.prompts.tokens import PromptTokens
from baselines.llm.word_limit import count_words
from resrank.efficiency.common_work import text_tokens
from resrank.ranking import Listed, Request
from resrank.records import Usage
from resrank.work import QueryShape

TOKENS_PER_WORD = 1.3  # of English text


def expected_prompts(
    options: PromptOptions, sizes: Sequence[int], shape: QueryShape, limit: int | None
) -> Usage:
    """Estimate the tokens of one prompt per set of passages, each at most `limit` tokens.

    sizes: passages in each set.
    """
    form = template(options.prompt)
    passage = min(shape.passage_tokens, round((options.words or form.words) * TOKENS_PER_WORD))
    queries = sum("{query}" in turn.content for turn in (*form.opening, *form.closing))
    total = 0
    for size in sizes:
        fixed = text_tokens(*(turn.content for turn in form.build("", [""] * size)))
        tokens = fixed + queries * shape.query_tokens + size * passage
        total += min(tokens, limit or tokens)
    return Usage(prompt_tokens=total, model_calls=len(sizes))


def answer_tokens(passages: int) -> int:
    """Return the tokens of "[1] > [2] > ..." and an end token; the tokenizer splits digits."""
    return sum(3 + len(str(rank)) for rank in range(1, passages + 1))


class WindowPrompts:
    """Builds prompts of windows; a passage that any of them cuts is counted once per query.

    answer: tokens that the model may write. model: if it is in this process, passages are cut
    further until prompt and answer fit its positions.
    """

    def __init__(
        self,
        template: Template,
        words: int | None,
        answer: int,
        model: Any,
        requests: Sequence[Request],
        usages: Sequence[Usage],
    ) -> None:
        self.template = template
        self.words = words or template.words
        self.answer = answer
        self.model = model
        self.requests = requests
        self.usages = usages
        self.cut: list[set[int]] = [set() for _ in requests]

    def __call__(self, windows: Sequence[Sequence[Listed]]) -> list[Prompt]:
        """Return one prompt per window."""
        return [self.build(window)[0] for window in windows]

    def build(self, window: Sequence[Listed], limit: int | None = None) -> tuple[Prompt, int]:
        """Return a window's prompt and the words of each passage that it keeps, at most `limit`."""
        row = window[0][0]
        query, candidates = self.requests[row]
        texts = [candidates[place].passage.text for _, place in window]
        prompt, words = fit_prompt(
            self.template, query.text, texts, limit or self.words, self.answer, self.model
        )
        for (_, place), text in zip(window, texts, strict=True):
            if self.template.cuts(text, words):
                self.cut[row].add(place)
        self.usages[row].truncated_passages = len(self.cut[row])
        return prompt, words

    def shorten(self, window: Sequence[Listed], words: int, refusal: str) -> tuple[Prompt, int]:
        """Return a window's prompt with passages of three quarters of the words, and these words.

        refusal: what the endpoint replied. ValueError if the passages cannot be shorter.
        """
        _, candidates = self.requests[window[0][0]]
        words = min(words, _longest([candidates[place].passage.text for _, place in window]))
        if words <= 1:
            raise ValueError(
                f"the endpoint refuses a window of {len(window)} passages as longer than its "
                f"context, even with one word of each: {refusal!r}. Use a smaller window; if its "
                "context is larger by now, delete the transcript beside the run, which records this"
            )
        return self.build(window, words * 3 // 4)


def fit_prompt(
    template: Template, query: str, texts: Sequence[str], words: int, answer: int, model: Any
) -> tuple[Prompt, int]:
    """Return a window's prompt and the words of each passage that it keeps.

    Passages are cut until prompt and answer fit the model's positions. ValueError if one word of
    each passage is still too much.
    """

    def excess() -> int:
        if not isinstance(model, PromptTokens):
            return 0  # an endpoint does not tell how many tokens a prompt has
        return model.count(prompt) + answer - model.positions

    prompt = template.build(query, texts, words)
    while (over := excess()) > 0:
        if words == 1:
            raise ValueError(
                f"a window of {len(texts)} passages does not fit the model's {model.positions} "
                "positions even with one word of each; use a smaller window"
            )
        words = max(1, min(words, _longest(texts)) - max(1, over // (4 * len(texts))))
        prompt = template.build(query, texts, words)
    return prompt, words


def _longest(texts: Sequence[str]) -> int:
    """Return the words of the longest text."""
    return max(map(count_words, texts))
