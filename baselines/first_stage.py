"""The first stage's order as it is: what every reranker must improve on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from resrank.efficiency.work import Asked, Pass
from resrank.options import Strict
from resrank.records import Candidate, Query, Ranking, Usage
from resrank.reranker import Expected, Request, ranked


class FirstStage:
    """Returns the candidates in the order they came in."""

    class Options(Strict):
        """There is nothing to set."""

    @classmethod
    def load(cls, options: Options, model_dir: Path | None = None) -> Self:
        """Nothing is loaded."""
        return cls()

    @staticmethod
    def passes(options: Options, usage: Usage, candidates: int) -> list[Pass]:
        """No model."""
        return []

    @staticmethod
    def expected(options: Options, asked: Asked) -> Usage:
        """Nothing."""
        return Usage()

    def expects(self, candidates: int) -> Expected:
        """Nothing is called or read."""
        return Expected(0, 0, 0, 0)

    def rerank(self, query: Query, candidates: Sequence[Candidate]) -> Ranking:
        """The same list."""
        return ranked(query, candidates, range(len(candidates), 0, -1), Usage())

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """The same lists."""
        return [self.rerank(query, candidates) for query, candidates in requests]
