"""The contract of every reranker: one base class, with a default for every optional member."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from resrank.ranking import Request
from resrank.records import Candidate, Passage, Query, Ranking, TrainingExample, Usage
from resrank.rejected_answers import RejectedAnswers
from resrank.reranker_options import QuerySource, RerankerOptions, TrainingOptions
from resrank.work import Pass, QueryShape

Count = int | range
"""An exact number, or the numbers from `start` up to but not including `stop`."""


@dataclass(frozen=True, slots=True)
class DeclaredCounts:
    """The counters of `Usage` that a method fixes for one list; None where it fixes none.

    answers: written answers, whether clean, repaired or rejected.
    """

    model_calls: Count | None = None
    generated_tokens: Count | None = None
    embedding_slots: Count | None = None
    encoded_passages: Count | None = None
    answers: int | None = None


@dataclass(frozen=True)
class TrainingData:
    """A collection's train and dev queries, with their candidates and grades.

    own_text: pseudo-queries from the collection's passages, for a training that draws some.
    """

    train: Sequence[TrainingExample]
    dev: Sequence[TrainingExample] = ()
    own_text: Sequence[TrainingExample] = ()

    def examples(self, queries: QuerySource) -> Sequence[TrainingExample]:
        """Return the labelled train queries, or the pseudo-queries."""
        return self.own_text if queries == "own_text" else self.train


@dataclass(frozen=True)
class TrainingJob:
    """The seed, folders and callbacks of one training job.

    store: folder of the passage embeddings that rerankers share.
    checkpoints: folder that outlives a killed job.
    key: hash of everything that the training depends on.
    on_step: receives each step's losses.
    dev_score: returns the quality of rankings of dev queries, for early stopping. The reranker
        does not need to know which metric this is.
    instructions: text options whose `{instruction}` became that of the training collection, as they
        were; a saved model keeps them, so that it can serve other collections.
    """

    store: Path
    checkpoints: Path
    key: str = ""
    on_step: Callable[[dict[str, Any]], None] | None = None
    dev_score: Callable[[Sequence[Ranking]], float] | None = None
    seed: int = field(kw_only=True)
    instructions: Mapping[str, str] = field(default_factory=dict)


class Reranker(ABC):
    """Reorders a query's candidates. It knows nothing of datasets, metrics, files or clocks.

    A subclass sets `Options` and implements `rerank_many`. Everything else has a default.
    """

    Options: ClassVar[type[RerankerOptions]] = RerankerOptions
    """The typed options of this kind; the default has no keys."""
    Training: ClassVar[type[TrainingOptions] | None] = None
    """The typed training options, or None if this kind cannot be trained."""
    grades: ClassVar[int | None] = None
    """How many grades its `grade_probabilities` cover, or None if it gives no grades."""
    reorders: ClassVar[bool] = True
    """Whether it may change the first stage's order. Only the first stage itself does not."""
    reads_lists: ClassVar[bool] = False
    """Whether it reads a list whole or in sliding windows (`RerankerOptions.list_window`)."""
    reads_queries_together: bool = False
    """Whether the job passes all queries in one call. Set it if reranking embeds only queries."""
    instructed: ClassVar[frozenset[str]] = frozenset()
    """The text options in which `{instruction}` may stand in a training on several collections.

    Training fills in each query's `instruction` there; with one collection the suite has done so.
    """
    caches_passages: bool = False
    """Whether its passage embeddings do not depend on the query, so `prepare` can store them."""

    def __init__(self, options: Any) -> None:
        self.options = options

    @classmethod
    def load(cls, options: Any, model_dir: Path | None = None) -> Self:
        """Build the reranker from its options; `model_dir` holds what `train` wrote, if trained."""
        return cls(options)

    @classmethod
    def start(cls, options: Any, seed: int) -> Self:
        """Build the reranker as its training with this seed starts.

        Override it if the options describe parts with random weights, so that these follow the
        seed: `load` without a folder, `start` with seed 0 and a training must make the same ones.
        """
        return cls.load(options)

    # Ranking

    @abstractmethod
    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries in batches, with the same rankings as `rerank` one at a time.

        The job calls this with 16 queries at a time, so that it can be split into shards.
        """

    def rerank(self, query: Query, candidates: Sequence[Candidate]) -> Ranking:
        """Rank one query's candidates: a permutation of them, best first."""
        return self.rerank_many([(query, candidates)])[0]

    def by_encoder(self, requests: Sequence[Request]) -> list[Ranking] | None:
        """Rank by the encoder's cosine alone, or return None without such an encoder.

        It shows what the reranking score by itself would hide (ResRank, fact 8 of docs/papers.md).
        """
        return None

    # Cached passage embeddings, where `caches_passages` is true

    def prepare(
        self,
        passages: Iterable[Passage],
        folder: Path,
        needed: Iterable[Passage] | None = None,
    ) -> Usage:
        """Embed passages ahead of time into `folder`; later rankings read them from there.

        needed: those that are to be read; unset: all. Batches are formed over all passages, and
        those without a needed one are left out.
        """
        return Usage()

    def forget(self) -> None:
        """Drop all stored embeddings, so that the next ranking encodes its passages."""
        return

    @staticmethod
    def encoder_options(options: Any, training: Any, model_dir: str | None) -> Any:
        """Return the `EncoderOptions` of the encoder that embeds passages, or None without one.

        Rerankers with equal encoder options share one store. `training` and `model_dir` are None
        if untrained; a trained reranker may keep its own encoder in `model_dir`.
        """
        return None

    @property
    def bytes_per_passage(self) -> int | None:
        """Return the size of a stored embedding, or None without one."""
        return None

    # Training, where `Training` is set

    @classmethod
    def check_training(cls, options: Any) -> None:
        """Raise ValueError if a reranker with these options cannot be trained."""
        return

    @classmethod
    def train(
        cls, options: Any, training: Any, data: TrainingData, out: Path, job: TrainingJob
    ) -> None:
        """Train, and write the model under `out`, from where `load` can read it."""
        raise NotImplementedError(f"{cls.__name__} sets `Training` but does not define `train`")

    # Transcripts of a model whose calls are slow or paid for

    def keep_transcript(self, run: Path) -> None:
        """Record every call beside the run file, and repeat none that is already recorded."""
        return

    def recorded_clock(self, run: Path | None) -> Callable[[], int] | None:
        """Replay an endpoint's recorded answers, and return a clock that advances by their times.

        The clock counts nanoseconds. Returns None where a model in this process is to be timed.
        Raises DataError if nothing was recorded beside `run`.
        """
        return None

    # Answers that a language model writes

    rejected: RejectedAnswers | None = None
    """Where it reports the answers that it rejects; `collect_rejected` sets it."""

    def collect_rejected(self, rejected: RejectedAnswers) -> None:
        """Report every rejected answer of the next rankings to `rejected`.

        A kind that does so declares its number of answers and sets `rejection_limit` in its
        options.
        """
        self.rejected = rejected

    # What it declares of its work

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return the counts that every ranking of a list of this length must have.

        A run that breaks them is not written (`check_ranking.py`).
        """
        return DeclaredCounts()

    @staticmethod
    def estimate_usage(options: Any, shape: QueryShape) -> Usage | None:
        """Return the usage of a typical ranking before any model is loaded, or None if unknown."""
        return None

    @classmethod
    def endpoint_calls(cls, options: Any, shape: QueryShape) -> int | None:
        """Return the calls to an endpoint for a typical ranking, or None if unknown."""
        if not options.asks_endpoint:
            return 0
        usage = cls.estimate_usage(options, shape)
        return None if usage is None else usage.model_calls

    @staticmethod
    def passes(options: Any, usage: Usage, candidates: int) -> Sequence[Pass] | None:
        """Return the forward passes that make up a ranking's usage, for its FLOPs.

        The passage encoder, if there is one, comes first, the reranker last. Returns None where
        the models are not in this process; then tables and plans show no FLOPs.
        """
        return None

    # What a run's manifest records

    @property
    def dtype(self) -> str:
        """Return the number format of the weights; "none" without weights."""
        return "none"

    @property
    def about(self) -> Mapping[str, Any]:
        """Return what a run's manifest records beside the configuration."""
        return {}
