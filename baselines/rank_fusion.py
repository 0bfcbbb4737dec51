"""Reciprocal-rank fusion of the first stage's order with other systems' (Cormack et al., 2009).

Any listwise model that sees candidates in first-stage order should beat this: such a model may
learn nothing more than the fusion.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from resrank.candidates.reciprocal_rank import fused_scores
from resrank.ranking import Request, ranked
from resrank.records import Passage, Ranking, Usage
from resrank.rejected_answers import RejectedAnswers
from resrank.reranker import Count, DeclaredCounts, Reranker
from resrank.reranker_entry import RerankerEntry
from resrank.reranker_options import RerankerOptions
from resrank.work import Pass, QueryShape


class RankFusionOptions(RerankerOptions):
    """Which systems are fused, and how fast ranks lose weight."""

    system: RerankerEntry | None = Field(
        None, description="The system fused with the first stage; or give `systems`."
    )
    systems: tuple[RerankerEntry, ...] = Field(
        (), description="Several systems fused with the first stage, such as a cross-encoder and "
        "a bi-encoder. Those with a passage encoder must share it."
    )  # fmt: skip
    k: int = Field(60, ge=0, description="Constant of reciprocal-rank fusion.")

    @model_validator(mode="after")
    def _one_way_to_name_them(self) -> RankFusionOptions:
        if (self.system is None) == (not self.systems):
            given = "neither" if self.system is None else "both"
            raise ValueError(f"{given} of `system` and `systems` is given; give one of them")
        encoders = {options.model_dump_json() for options in self.encoders}
        if len(encoders) > 1:
            raise ValueError(
                f"the fused systems embed passages with {len(encoders)} encoders, but their "
                "embeddings are stored for one; give them the same encoder options"
            )
        return self

    @property
    def fused(self) -> tuple[RerankerEntry, ...]:
        """Return the fused systems, in their order."""
        return self.systems if self.system is None else (self.system,)

    @property
    def encoders(self) -> list[Any]:
        """Return the encoder of each fused system that has one."""
        listed = [e.reranker.encoder_options(e.typed_options, None, None) for e in self.fused]
        return [options for options in listed if options is not None]

    @property
    def files(self) -> list[Path]:
        """Return the user's files of the fused systems."""
        return [path for entry in self.fused for path in entry.typed_options.files]

    @property
    def asks_endpoint(self) -> bool:
        """Whether a server answers one of the fused systems."""
        return any(entry.typed_options.asks_endpoint for entry in self.fused)

    @property
    def is_replayed(self) -> bool:
        """Whether a fused system's answers all come from a transcript: it has no time."""
        return any(entry.typed_options.is_replayed for entry in self.fused)

    @property
    def random_part(self) -> str | None:
        """Return the random part of the first fused system that has one."""
        return next((p for e in self.fused if (p := e.typed_options.random_part)), None)

    @property
    def may_start_random(self) -> bool:
        """Whether a part of a fused system may have random weights until trained."""
        return any(entry.typed_options.may_start_random for entry in self.fused)

    @property
    def rejection_limit(self) -> float | None:
        """Return the strictest of the fused systems' limits."""
        limits = [entry.typed_options.rejection_limit for entry in self.fused]
        return min((limit for limit in limits if limit is not None), default=None)


class RankFusion(Reranker):
    """score = 1 / (k + first-stage rank) + the sum of 1 / (k + rank) over the systems."""

    Options = RankFusionOptions

    def __init__(self, options: RankFusionOptions, seed: int = 0) -> None:
        self.systems = [entry.load(seed=seed) for entry in options.fused]
        self.k = options.k
        self.reads_queries_together = all(s.reads_queries_together for s in self.systems)
        self.caches_passages = any(s.caches_passages for s in self.systems)

    @classmethod
    def start(cls, options: RankFusionOptions, seed: int) -> RankFusion:
        """Build the fused systems; their random weights follow the seed."""
        return cls(options, seed)

    @staticmethod
    def encoder_options(options: RankFusionOptions, training: None, model_dir: str | None) -> Any:
        """Return the fused systems' encoder, if one has any."""
        return next(iter(options.encoders), None)

    @staticmethod
    def passes(options: RankFusionOptions, usage: Usage, candidates: int) -> Sequence[Pass] | None:
        """Return the fused system's passes; None for several, whose usage is one sum."""
        return options.fused[0].passes(usage, candidates) if len(options.fused) == 1 else None

    @staticmethod
    def estimate_usage(options: RankFusionOptions, shape: QueryShape) -> Usage | None:
        """Return the sum of the fused systems' usages; None if one is unknown."""
        usages = [entry.estimate_usage(shape) for entry in options.fused]
        stated = [usage for usage in usages if usage is not None]
        return sum(stated, Usage()) if len(stated) == len(usages) else None

    @classmethod
    def endpoint_calls(cls, options: RankFusionOptions, shape: QueryShape) -> int | None:
        """Return the sum of the fused systems' calls; None if one is unknown."""
        calls = [e.reranker.endpoint_calls(e.typed_options, shape) for e in options.fused]
        stated = [count for count in calls if count is not None]
        return sum(stated) if len(stated) == len(calls) else None

    def prepare(
        self,
        passages: Iterable[Passage],
        folder: Path,
        needed: Iterable[Passage] | None = None,
    ) -> Usage:
        """Embed passages for the fused systems."""
        listed = list(passages) if len(self.systems) > 1 else passages
        read = None if needed is None else list(needed)
        caching = [system for system in self.systems if system.caches_passages]
        return sum((system.prepare(listed, folder, read) for system in caching), Usage())

    def forget(self) -> None:
        """Drop the fused systems' stored embeddings."""
        for system in self.systems:
            system.forget()

    def keep_transcript(self, run: Path) -> None:
        """Record the calls of the fused systems' language models beside the run file."""
        for system in self.systems:
            system.keep_transcript(run)

    def recorded_clock(self, run: Path | None) -> Callable[[], int] | None:
        """Replay what endpoints answered the fused systems; other systems are timed here."""
        clocks = [clock for s in self.systems if (clock := s.recorded_clock(run)) is not None]
        if not clocks:
            return None
        if len(clocks) < len(self.systems):
            clocks.append(time.perf_counter_ns)
        return lambda: sum(clock() for clock in clocks)

    def collect_rejected(self, rejected: RejectedAnswers) -> None:
        """Let the fused systems report their rejected answers."""
        for system in self.systems:
            system.collect_rejected(rejected)

    @property
    def dtype(self) -> str:
        """Return the fused systems' number formats."""
        return " + ".join(dict.fromkeys(system.dtype for system in self.systems))

    @property
    def bytes_per_passage(self) -> int | None:
        """Return the size of the fused systems' stored embeddings, if there are any."""
        sizes = (system.bytes_per_passage for system in self.systems)
        return next((size for size in sizes if size is not None), None)

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return the sums of what the fused systems declare."""
        declared = [system.declared_counts(candidates) for system in self.systems]
        return DeclaredCounts(
            model_calls=_sum([d.model_calls for d in declared]),
            generated_tokens=_sum([d.generated_tokens for d in declared]),
            embedding_slots=_sum([d.embedding_slots for d in declared]),
            encoded_passages=_sum([d.encoded_passages for d in declared]),
            answers=_answers([d.answers for d in declared]),
        )

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Fuse each query's orders; the usage is the sum of the fused systems'."""
        by_system = [system.rerank_many(requests) for system in self.systems]
        return [
            self._fused(request, rankings)
            for request, *rankings in zip(requests, *by_system, strict=True)
        ]

    def _fused(self, request: Request, rankings: Sequence[Ranking]) -> Ranking:
        query, candidates = request
        ids = [candidate.passage.id for candidate in candidates]
        sums = fused_scores([ids, *(ranking.passage_ids for ranking in rankings)], self.k)
        usage = _total([ranking.usage for ranking in rankings])
        return ranked(query, candidates, [sums[passage_id] for passage_id in ids], usage)


def _sum(counts: Sequence[Count | None]) -> Count | None:
    """Return the sum of counts or ranges; None if one is not fixed."""
    total: Count = 0
    for count in counts:
        if count is None:
            return None
        total = _add(total, count)
    return total


def _answers(counts: Sequence[int | None]) -> int | None:
    """Return the sum of the written answers; None if no system declares any."""
    declared = [count for count in counts if count is not None]
    return sum(declared) if declared else None


def _add(first: Count, second: Count) -> Count:
    if isinstance(first, int) and isinstance(second, int):
        return first + second
    first, second = _as_range(first), _as_range(second)
    return range(first.start + second.start, first.stop + second.stop - 1)


def _as_range(count: Count) -> range:
    return range(count, count + 1) if isinstance(count, int) else count


def _total(usages: Sequence[Usage]) -> Usage:
    """Return the sum of usages; of truncated passages, which systems share, the largest count."""
    truncated = max(usage.truncated_passages for usage in usages)
    return replace(sum(usages, Usage()), truncated_passages=truncated)
