"""ICR: passages ranked by the attention that a query pays them (Chen et al., ICLR 2025).

Nothing is generated (arXiv 2410.02642, section 3). Each passage token gets the attention of the
tokens after the passages, summed over layers and heads. The same attention under a query without
content ("N/A") is subtracted, which removes what a token attracts for other reasons, such as its
position. Tokens that lose far more by this than the rest of their passage are dropped; the
remaining values are summed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from baselines.icr.options import ICROptions
from baselines.llm.word_limit import count_words, first_words
from resrank.efficiency.common_work import text_tokens
from resrank.ranking import Listed, Request, by_windows
from resrank.records import Ranking, Usage
from resrank.reranker import DeclaredCounts, Reranker
from resrank.windows import Window, window_sizes
from resrank.work import Pass, QueryShape, Work

if TYPE_CHECKING:
    from baselines.icr.attention import Reader


class ICR(Reranker):
    """Two forward passes per list, which share the passages' part."""

    Options = ICROptions
    reads_lists = True

    def __init__(self, options: ICROptions, reader: Reader) -> None:
        self.options = options
        self.reader = reader

    @classmethod
    def load(cls, options: ICROptions, model_dir: Path | None = None) -> Self:
        """Load the language model."""
        from baselines.icr.attention import Reader
        from baselines.llm.backends.transformers import TransformersModel

        return cls(options, Reader(TransformersModel(options.llm), options))

    @staticmethod
    def passes(options: ICROptions, usage: Usage, candidates: int) -> list[Pass]:
        """Return both passes as one over all tokens read, since they share the passages' part."""
        return [Pass(options.llm.named, Work(usage.model_calls / 2, usage.prompt_tokens))]

    @staticmethod
    def estimate_usage(options: ICROptions, shape: QueryShape) -> Usage:
        """Return the usage of reading each window once and both queries after it."""
        sizes = window_sizes(shape.candidates, options.window)
        closings = 2 * text_tokens(options.closing) + shape.query_tokens
        fixed = text_tokens(options.opening, options.neutral_query) + closings
        numbers = sum(text_tokens(f"[{n}] ") for size in sizes for n in range(1, size + 1))
        passages = sum(sizes) * shape.passage_tokens + numbers
        return Usage(prompt_tokens=passages + len(sizes) * fixed, model_calls=2 * len(sizes))

    @property
    def dtype(self) -> str:
        """Return the number format of the weights."""
        return self.reader.llm.dtype

    @property
    def about(self) -> Mapping[str, Any]:
        """Return the model's parameters."""
        return {"parameters": dict(self.reader.llm.identity)}

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return two forward passes per window."""
        windows = window_sizes(candidates, self._window(candidates))
        return DeclaredCounts(model_calls=2 * len(windows), generated_tokens=0, embedding_slots=0)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries; each list is read by itself."""
        longest = max((len(candidates) for _, candidates in requests), default=2)
        batch = _ListBatch(self.reader, self.options.words, requests)
        return by_windows(
            requests,
            self._window(longest),
            batch.usages,
            lambda windows: [batch.order(members) for members in windows],
        )

    def _window(self, candidates: int) -> Window:
        """Return the options' window, or one that holds the whole list."""
        return self.options.window or Window(size=max(2, candidates), step=1)


class _ListBatch:
    """Requests whose windows are ordered one after the other, with what they use."""

    def __init__(self, reader: Reader, words: int, requests: Sequence[Request]) -> None:
        self.reader = reader
        self.words = words
        self.requests = requests
        self.usages = [Usage() for _ in requests]
        self.cut: list[set[int]] = [set() for _ in requests]

    def order(self, members: Sequence[Listed]) -> list[int]:
        """Return a window's indices by their scores, best first."""
        row = members[0][0]
        query, candidates = self.requests[row]
        passages = [candidates[place].passage.text for _, place in members]
        limit, texts = self._fit(query.text, passages)
        scores, tokens = self.reader.scores(query.text, texts)
        self.cut[row].update(
            place
            for (_, place), text in zip(members, passages, strict=True)
            if count_words(text) > limit
        )
        usage = self.usages[row]
        usage.truncated_passages = len(self.cut[row])
        usage.prompt_tokens += tokens
        usage.model_calls += 2
        return sorted(range(len(members)), key=lambda place: -scores[place])

    def _fit(self, query: str, passages: Sequence[str]) -> tuple[int, list[str]]:
        """Return the most words per passage that fit the model, and the passages cut to them."""
        limit = self.words
        texts = [first_words(text, limit) for text in passages]
        while limit > 1 and self.reader.is_too_long(query, texts):
            limit = max(1, limit * 9 // 10)
            texts = [first_words(text, limit) for text in passages]
        return limit, texts
