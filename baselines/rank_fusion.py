"""Reciprocal-rank fusion of the first stage's order with another system's (Cormack et al., 2009).

Any listwise model that sees candidates in first-stage order should beat this: such a model may
learn nothing more than the fusion.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from resrank.candidates.reciprocal_rank import fused_scores
from resrank.ranking import Request, ranked
from resrank.records import Passage, Ranking, Usage
from resrank.rejected_answers import RejectedAnswers
from resrank.reranker import DeclaredCounts, Reranker
from resrank.reranker_entry import RerankerEntry
from resrank.reranker_options import RerankerOptions
from resrank.work import Pass, QueryShape


class RankFusionOptions(RerankerOptions):
    """Which system is fused, and how fast ranks lose weight."""

    system: RerankerEntry = Field(description="The system fused with the first stage.")
    k: int = Field(60, ge=0, description="Constant of reciprocal-rank fusion.")

    @property
    def rejection_limit(self) -> float | None:
        """Return the fused system's limit."""
        return self.system.typed_options.rejection_limit


class RankFusion(Reranker):
    """score = 1 / (k + first-stage rank) + 1 / (k + the system's rank)."""

    Options = RankFusionOptions

    def __init__(self, options: RankFusionOptions) -> None:
        self.system = options.system.load()
        self.k = options.k
        self.reads_queries_together = self.system.reads_queries_together
        self.caches_passages = self.system.caches_passages

    @staticmethod
    def encoder_options(options: RankFusionOptions, training: None, model_dir: str | None) -> Any:
        """Return the fused system's encoder, if it has one."""
        entry = options.system
        return entry.reranker.encoder_options(entry.typed_options, None, None)

    @staticmethod
    def passes(options: RankFusionOptions, usage: Usage, candidates: int) -> Sequence[Pass] | None:
        """Return the fused system's passes."""
        return options.system.passes(usage, candidates)

    @staticmethod
    def estimate_usage(options: RankFusionOptions, shape: QueryShape) -> Usage | None:
        """Return the fused system's usage."""
        return options.system.estimate_usage(shape)

    def prepare(self, passages: Iterable[Passage], folder: Path) -> Usage:
        """Embed passages for the fused system."""
        return self.system.prepare(passages, folder)

    def forget(self) -> None:
        """Drop the fused system's stored embeddings."""
        self.system.forget()

    def collect_rejected(self, rejected: RejectedAnswers) -> None:
        """Let the fused system report its rejected answers."""
        self.system.collect_rejected(rejected)

    @property
    def dtype(self) -> str:
        """Return the fused system's number format."""
        return self.system.dtype

    @property
    def bytes_per_passage(self) -> int | None:
        """Return the size of the fused system's stored embeddings, if it has any."""
        return self.system.bytes_per_passage

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return what the fused system declares."""
        return self.system.declared_counts(candidates)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Fuse each query's two orders; the usage is the fused system's."""
        fused = []
        rankings = self.system.rerank_many(requests)
        for (query, candidates), other in zip(requests, rankings, strict=True):
            ids = [candidate.passage.id for candidate in candidates]
            sums = fused_scores([ids, other.passage_ids], self.k)
            scores = [sums[passage_id] for passage_id in ids]
            fused.append(ranked(query, candidates, scores, other.usage))
        return fused
