"""Reciprocal-rank fusion of the first stage's order with another system's (Cormack et al., 2009).

The bar for any listwise model that sees candidates in first-stage order: such a model may learn no
more than this.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from resrank.candidates.reciprocal_rank import fused_scores
from resrank.efficiency.work import Asked, Pass
from resrank.model.options import EncoderOptions
from resrank.options import Strict
from resrank.records import Ranking, Usage
from resrank.registry import encoder_of, resolve
from resrank.reranker import CachesPassages, Declares, Expected, RanksMany, Request, ranked


class Part(Strict):
    """The system fused with the first stage."""

    kind: str = Field(description="A registered kind, or 'package.module:Class'.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of that kind.")

    @model_validator(mode="after")
    def _check_options(self) -> Part:
        resolve(self.kind).Options.model_validate(self.options)
        return self


class RankFusion(RanksMany):
    """score = 1 / (k + first-stage rank) + 1 / (k + the system's rank)."""

    class Options(Strict):
        """What is fused, and how fast ranks lose weight."""

        system: Part = Field(description="The system fused with the first stage.")
        k: int = Field(60, ge=0, description="Constant of reciprocal-rank fusion.")

    def __init__(self, options: Options) -> None:
        cls = resolve(options.system.kind)
        self.system = cls.load(cls.Options.model_validate(options.system.options))
        self.k = options.k
        self.reads_queries_together = getattr(self.system, "reads_queries_together", False)
        if isinstance(self.system, CachesPassages):  # then so does this one
            self.prepare, self.forget = self.system.prepare, self.system.forget

    @classmethod
    def load(cls, options: Options, model_dir: Path | None = None) -> Self:
        """Load the fused system."""
        return cls(options)

    @staticmethod
    def encoder_options(
        options: Options, training: None, model_dir: str | None
    ) -> EncoderOptions | None:
        """The fused system's encoder, if it has one."""
        found: EncoderOptions | None = encoder_of(options.system.kind, options.system.options)
        return found

    @staticmethod
    def passes(options: Options, usage: Usage, candidates: int) -> list[Pass] | None:
        """The fused system's, if it states them."""
        cls = resolve(options.system.kind)
        own = cls.Options.model_validate(options.system.options)
        return cls.passes(own, usage, candidates) if hasattr(cls, "passes") else None

    @staticmethod
    def expected(options: Options, asked: Asked) -> Usage:
        """The fused system's usage."""
        cls = resolve(options.system.kind)
        found: Usage = cls.expected(cls.Options.model_validate(options.system.options), asked)
        return found

    @property
    def dtype(self) -> str:
        """Number format of the fused system."""
        return str(getattr(self.system, "dtype", "none"))

    @property
    def bytes_per_passage(self) -> int | None:
        """Size of a stored embedding of the fused system, if it has any."""
        found: int | None = getattr(self.system, "bytes_per_passage", None)
        return found

    def expects(self, candidates: int) -> Expected:
        """What the fused system expects."""
        return self.system.expects(candidates) if isinstance(self.system, Declares) else Expected()

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Fuse each query's two orders; the cost is the fused system's."""
        fused = []
        rankings = self.system.rerank_many(requests)
        for (query, candidates), other in zip(requests, rankings, strict=True):
            ids = [candidate.passage.id for candidate in candidates]
            sums = fused_scores([ids, other.passage_ids], self.k)
            scores = [sums[passage_id] for passage_id in ids]
            fused.append(ranked(query, candidates, scores, other.usage))
        return fused
