"""A pointwise judge: a language model is asked whether a passage answers the query.

The score is log p(Yes), normalised over Yes and No at the first position of the answer; no
token is generated. The question is HELM's (Liang et al., 2022, arXiv 2211.09110, its prompt of
information retrieval; Zhuang et al., NAACL 2024, arXiv 2310.14122, call this "relevance generation
with yes and no").
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import Field, field_validator

from baselines.llm.interface import Message, Prompt
from baselines.llm.listwise_prompts import TOKENS_PER_WORD
from baselines.llm.options import TransformersOptions
from baselines.llm.pointwise import TwoAnswers
from baselines.llm.word_limit import count_words, first_words
from resrank.efficiency.common_work import estimated_pairs, scored, text_tokens
from resrank.records import Usage
from resrank.reranker_options import RerankerOptions
from resrank.work import Pass, QueryShape

if TYPE_CHECKING:
    from baselines.llm.backends.transformers import TransformersModel

PLACES = ("{query}", "{passage}")


class YesNoOptions(RerankerOptions):
    """Which model, and how it is asked."""

    llm: TransformersOptions = Field(description="A causal language model in this process.")
    question: str = Field(
        "Passage: {passage}\nQuery: {query}\nDoes the passage answer the query? Answer Yes or No.",
        description="The user's turn, with {query} and {passage}.",
    )
    answers: tuple[str, str] = Field(
        ("Yes", "No"), description="The two answers; each must be one token of the model."
    )
    words: int = Field(300, ge=1, description="Cut passages to this many words.")

    @field_validator("question")
    @classmethod
    def _has_both_places(cls, question: str) -> str:
        for place in PLACES:
            if question.count(place) != 1:
                raise ValueError(f"the question must hold {place} once: {question!r}")
        return question


class YesNo(TwoAnswers):
    """One forward pass per pair; the score is log p(Yes), normalised over Yes and No."""

    Options = YesNoOptions

    def __init__(self, options: YesNoOptions, model: TransformersModel) -> None:
        self.options = options
        self.batch_tokens = options.llm.batch_tokens
        self.model = model
        before = model.chat_text(self._prompt("a query", "a passage"))
        self.targets = [model.token_after(before, answer) for answer in options.answers]
        if len(set(self.targets)) == 1:
            yes, no = options.answers
            raise ValueError(
                f"the answers {yes!r} and {no!r} are the same token of {options.llm.model}, so "
                "that every passage would have one score; set two other `answers`"
            )

    @classmethod
    def load(cls, options: YesNoOptions, model_dir: Path | None = None) -> Self:
        """Load the language model."""
        from baselines.llm.backends.transformers import TransformersModel

        return cls(options, TransformersModel(options.llm))

    @staticmethod
    def passes(options: YesNoOptions, usage: Usage, candidates: int) -> list[Pass]:
        """Return one pass per pair."""
        return scored(options.llm.named, usage)

    @staticmethod
    def estimate_usage(options: YesNoOptions, shape: QueryShape) -> Usage:
        """Return the usage of reading each pair once."""
        passage = min(shape.passage_tokens, round(options.words * TOKENS_PER_WORD))
        limit = text_tokens(options.question) + shape.query_tokens + passage
        return estimated_pairs(shape, text_tokens(options.question), limit)

    def pair_ids(self, query: str, passage: str) -> tuple[list[int], bool]:
        """Return the token ids of a pair's chat prompt, and whether its passage was cut.

        A passage is cut to `words`, and further until the prompt fits the model. ValueError if the
        prompt does not fit it even with one word.
        """
        words = count_words(passage)
        kept = min(words, self.options.words)
        while True:
            (ids,) = self.model.tokenize([self._prompt(query, first_words(passage, kept))])
            over = len(ids) - self.model.positions
            if over <= 0:
                return ids, kept < words
            if kept <= 1:
                raise ValueError(
                    f"a pair has {len(ids)} tokens with one word of the passage, but the model has "
                    f"{self.model.positions} positions; shorten the query or the question"
                )
            kept = max(1, kept - max(1, over // 4))

    def _prompt(self, query: str, passage: str) -> Prompt:
        before, _, after = self.options.question.partition(PLACES[1])
        texts = [part.replace(PLACES[0], query) for part in (before, after)]
        return (Message("user", passage.join(texts)),)
