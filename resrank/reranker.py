"""The one interface behind which every system stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel

from resrank.phases import phase
from resrank.records import Candidate, Passage, Query, Ranking, TrainingExample, Usage
from resrank.windows import Window, slide

Request = tuple[Query, Sequence[Candidate]]
Listed = tuple[int, int]
"""A passage of a list: (place of its request, its place among that one's candidates)."""
WindowOrder = Callable[[Sequence[Sequence[Listed]]], Sequence[Sequence[int]]]
"""Windows -> each one's places, best first."""


class Reranker(Protocol):
    """Orders a query's candidates. Knows nothing of datasets, metrics, files or clocks."""

    Options: ClassVar[type[BaseModel]]

    @classmethod
    def load(cls, options: Any, model_dir: Path | None = None) -> Self:
        """Build the system from its typed options; `model_dir` holds what `train` wrote."""
        ...

    def rerank(self, query: Query, candidates: Sequence[Candidate]) -> Ranking:
        """Rank one query's candidates: a permutation of them, best first."""
        ...

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries, batched; the same rankings as `rerank` one at a time.

        A run hands over a few queries at a time, so that it can be split into shards; one whose
        `reads_queries_together` is true, since queries are all that it reads, gets all at once.
        """
        ...


@runtime_checkable
class CachesPassages(Protocol):
    """A reranker whose passage embeddings do not depend on the query.

    Its class says which encoder makes them, by a static method
    `encoder_options(options, training, model_dir)`, so that they are computed once for all systems
    that share it.
    """

    def prepare(self, passages: Iterable[Passage], folder: Path) -> Usage:
        """Embed passages ahead of time into `folder`; later rankings take them from there."""
        ...

    def forget(self) -> None:
        """Drop every stored embedding, so that the next ranking encodes its passages."""
        ...


@runtime_checkable
class KeepsTranscript(Protocol):
    """A reranker whose calls are worth keeping: paid for, or slow."""

    def keep_transcript(self, run: Path) -> None:
        """Write every call down beside the run file, and repeat none that stands there."""
        ...

    def recorded_clock(self, run: Path | None) -> Callable[[], int] | None:
        """Where an endpoint answers: call it no more, take its answers from beside the run file.

        Returns a clock in nanoseconds, which goes on by what each answer took when it was given;
        None where a model in this process is to be timed. DataError if there is nothing recorded.
        """
        ...


@runtime_checkable
class Retrieves(Protocol):
    """A reranker whose encoder ranks by itself too (ResRank, fact 8 of docs/papers.md)."""

    def by_encoder(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank by the encoder's cosine alone: what a reranking score by itself would hide."""
        ...


@runtime_checkable
class GivesGrades(Protocol):
    """A reranker that judges each pair: its rankings have `grade_probabilities`."""

    grades: ClassVar[int]
    """How many grades its probabilities are over, 0 being the lowest."""


class RanksMany(ABC):
    """Base of a reranker for which one query is a batch of one."""

    @abstractmethod
    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries, batched."""

    def rerank(self, query: Query, candidates: Sequence[Candidate]) -> Ranking:
        """Rank one query's candidates."""
        return self.rerank_many([(query, candidates)])[0]


@dataclass(frozen=True)
class Bench:
    """What a training job works with beside its data.

    store: the folder of passage embeddings that systems share; checkpoints: a folder that outlives
    a killed job; key: a hash of all that training depends on; on_step: gets each step's losses;
    dev_score: what rankings of dev queries are worth, for early stopping; a reranker need not know
    which metric that is.
    """

    store: Path
    checkpoints: Path
    key: str = ""
    on_step: Callable[[dict[str, Any]], None] | None = None
    dev_score: Callable[[Sequence[Ranking]], float] | None = None


@runtime_checkable
class Trainable(Protocol):
    """A reranker that learns from a collection's train split."""

    Training: ClassVar[type[BaseModel]]

    @classmethod
    def train(
        cls,
        options: Any,
        training: Any,
        train: Sequence[TrainingExample],
        dev: Sequence[TrainingExample],
        out: Path,
        seed: int,
        bench: Bench,
    ) -> None:
        """Train and write the model under `out`, loadable by `load`."""
        ...


def by_windows(
    requests: Sequence[Request], window: Window, usages: Sequence[Usage], order: WindowOrder
) -> list[Ranking]:
    """Rank each request's candidates window by window; the windows of one round together.

    usages: what each ranking consumes, which `order` may go on counting.
    """
    whole = [[(i, place) for place in range(len(c))] for i, (_, c) in enumerate(requests)]
    ordered = slide(whole, window, order)
    return [
        ranked(query, candidates, _scores_of(found), usage)
        for (query, candidates), found, usage in zip(requests, ordered, usages, strict=True)
    ]


def _scores_of(found: Sequence[Listed]) -> list[float]:
    """Scores of candidates in their first-stage order, from the order they were put in."""
    scores = [0.0] * len(found)
    for rank, (_, place) in enumerate(found):
        scores[place] = float(len(found) - rank)
    return scores


def ranked(
    query: Query, candidates: Sequence[Candidate], scores: ArrayLike, usage: Usage,
    grade_probabilities: ArrayLike | None = None,
) -> Ranking:  # fmt: skip
    """Order candidates by score, ties by their place in the first stage's list.

    scores: (n,) one per candidate. grade_probabilities: (n, grades), of a system that gives grades.
    Raises ValueError on a non-finite score, naming the passage.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (len(candidates),):
        raise ValueError(f"{len(candidates)} candidates but scores of shape {values.shape}")
    if not np.isfinite(values).all():
        place = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(
            f"query {query.id!r}: score {values[place]} for passage "
            f"{candidates[place].passage.id!r}; a reranker must return finite scores"
        )
    grades = None if grade_probabilities is None else np.asarray(grade_probabilities, np.float64)
    if grades is not None and candidates and (len(grades), grades.ndim) != (len(candidates), 2):
        raise ValueError(
            f"{len(candidates)} candidates but grade probabilities of shape {grades.shape}"
        )
    with phase("score"):
        order = np.argsort(-values, kind="stable")
    return Ranking(
        query_id=query.id,
        passage_ids=tuple(candidates[i].passage.id for i in order),
        scores=tuple(float(values[i]) for i in order),
        usage=usage,
        grade_probabilities=None if grades is None else tuple(map(tuple, grades[order].tolist())),
    )


Count = int | range
"""A number, or the numbers from `start` up to, without it, `stop`."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The counters of `Usage` that a method fixes for one list; None: it does not fix this one."""

    model_calls: Count | None = None
    generated_tokens: Count | None = None
    embedding_slots: Count | None = None
    encoded_passages: Count | None = None


@runtime_checkable
class Declares(Protocol):
    """A reranker that says what its rankings must have counted."""

    def expects(self, candidates: int) -> Expected:
        """For a list of this length."""
        ...
