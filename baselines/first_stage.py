"""The first stage's own order: the baseline that every reranker must improve on."""

from __future__ import annotations

from collections.abc import Sequence

from resrank.ranking import Request, ranked
from resrank.records import Ranking, Usage
from resrank.reranker import DeclaredCounts, Reranker
from resrank.reranker_options import RerankerOptions
from resrank.work import Pass, QueryShape


class FirstStageOptions(RerankerOptions):
    """There is nothing to set."""


class FirstStageOrder(Reranker):
    """Returns the candidates in their original order."""

    Options = FirstStageOptions
    reorders = False

    @staticmethod
    def passes(options: FirstStageOptions, usage: Usage, candidates: int) -> list[Pass]:
        """Return no pass, since there is no model."""
        return []

    @staticmethod
    def estimate_usage(options: FirstStageOptions, shape: QueryShape) -> Usage:
        """Return an empty usage."""
        return Usage()

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return zero for every count."""
        return DeclaredCounts(0, 0, 0, 0)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Return the lists as they are."""
        return [
            ranked(query, candidates, range(len(candidates), 0, -1), Usage())
            for query, candidates in requests
        ]
