"""ICR: passages by the attention that a query pays them (Chen et al., ICLR 2025; arXiv 2410.02642).

Nothing is generated. A passage's token gets the attention of the tokens behind the passages, summed
over layers and heads; the same with a query that asks nothing ("N/A") is subtracted, which removes
what attention goes to a place or a word for reasons of its own; tokens that lose far more by that
than the passage's others are left out; the rest is summed (section 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from baselines.llm.options import TransformersOptions
from resrank.efficiency.work import Asked, Pass, Work, text_tokens
from resrank.options import Strict
from resrank.records import Ranking, Usage
from resrank.reranker import Expected, Listed, RanksMany, Request, by_windows
from resrank.windows import Window, window_sizes

if TYPE_CHECKING:
    from baselines.icr.attention import Reader


class ICR(RanksMany):
    """Two forward passes a list, which share the passages' part."""

    class Options(Strict):
        """Which model, and what it reads."""

        llm: TransformersOptions = Field(description="A causal language model in this process.")
        opening: str = Field("Here are some paragraphs:", description="In front of the passages.")
        closing: str = Field(
            "Please find information that are relevant to the following query in the paragraphs "
            "above.",
            description="Behind them, before the query.",
        )
        neutral_query: str = Field("N/A", description="The query that asks nothing.")
        words: int = Field(
            300, ge=1, description="Longer passages lose their end, in words; all of a list are "
            "cut further until it fits the model."
        )  # fmt: skip
        reverse: bool = Field(False, description="Show the first stage's best passage last.")
        window: Window | None = Field(
            None, description="Rerank in sliding windows; unset: all candidates in one prompt, "
            "as the paper recommends."
        )  # fmt: skip

    def __init__(self, options: Options, reader: Reader) -> None:
        self.options = options
        self.reader = reader

    @classmethod
    def load(cls, options: Options, model_dir: Path | None = None) -> Self:
        """Load the language model."""
        from baselines.icr.attention import Reader
        from baselines.llm.backends.transformers import TransformersModel

        return cls(options, Reader(TransformersModel(options.llm), options))

    @staticmethod
    def passes(options: Options, usage: Usage, candidates: int) -> list[Pass]:
        """Both passes as one over all that is read, since they share the passages' part."""
        return [Pass(options.llm.named, Work(usage.model_calls / 2, usage.prompt_tokens))]

    @staticmethod
    def expected(options: Options, asked: Asked) -> Usage:
        """The usage of a ranking that has not been made."""
        sizes = window_sizes(asked.candidates, options.window)
        closings = 2 * text_tokens(options.closing) + asked.query_tokens
        fixed = text_tokens(options.opening, options.neutral_query) + closings
        numbers = sum(text_tokens(f"[{n}] ") for size in sizes for n in range(1, size + 1))
        passages = sum(sizes) * asked.passage_tokens + numbers
        return Usage(prompt_tokens=passages + len(sizes) * fixed, model_calls=2 * len(sizes))

    @property
    def dtype(self) -> str:
        """Number format of the weights."""
        return self.reader.llm.dtype

    @property
    def about(self) -> Mapping[str, Any]:
        """What a run's manifest says beside the configuration."""
        return {"parameters": dict(self.reader.llm.identity)}

    def expects(self, candidates: int) -> Expected:
        """Two forward passes a window."""
        window = self.options.window or Window(size=max(2, candidates), step=1)
        windows = window_sizes(candidates, window)
        return Expected(model_calls=2 * len(windows), generated_tokens=0, embedding_slots=0)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries; each list is read by itself."""
        longest = max((len(candidates) for _, candidates in requests), default=2)
        window = self.options.window or Window(size=max(2, longest), step=1)
        usages = [Usage() for _ in requests]
        cut: list[set[int]] = [set() for _ in requests]

        def order(windows: Sequence[Sequence[Listed]]) -> list[list[int]]:
            return [self._order(members, requests, usages, cut) for members in windows]

        return by_windows(requests, window, usages, order)

    def _order(
        self,
        members: Sequence[Listed],
        requests: Sequence[Request],
        usages: Sequence[Usage],
        cut: Sequence[set[int]],
    ) -> list[int]:
        """A window's places by their scores, counted as used."""
        row = members[0][0]
        query, candidates = requests[row]
        words = [candidates[place].passage.text.split() for _, place in members]
        limit = self.options.words
        texts = [" ".join(found[:limit]) for found in words]
        while limit > 1 and self.reader.is_too_long(query.text, texts):
            limit = max(1, limit * 9 // 10)
            texts = [" ".join(found[:limit]) for found in words]
        scores, tokens = self.reader.scores(query.text, texts)
        cut[row].update(
            place for (_, place), found in zip(members, words, strict=True) if len(found) > limit
        )
        usages[row].truncated_passages = len(cut[row])
        usages[row].prompt_tokens += tokens
        usages[row].model_calls += 2
        return sorted(range(len(members)), key=lambda place: -scores[place])
