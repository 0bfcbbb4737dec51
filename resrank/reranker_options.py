"""The base classes of a reranker's options and of its training options.

Every property has a default, so that a reranker overrides only what applies to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from resrank.options import Strict
from resrank.windows import Window

QuerySource = Literal["labelled", "own_text"]
"""Where training queries come from: a collection's train queries, or its passages."""


class RerankerOptions(Strict):
    """Base of the options that a suite's `options` section sets for one kind of reranker."""

    @property
    def files(self) -> list[Path]:
        """Return the user's files that these options name, such as a prompt or a transcript.

        An edit of one of them runs the reranker's jobs again.
        """
        return []

    @property
    def asks_endpoint(self) -> bool:
        """Whether a server answers. Its recorded times are used instead of timing it again."""
        return False

    @property
    def is_replayed(self) -> bool:
        """Whether all answers come from a transcript, so that there is no time to measure."""
        return False

    @property
    def rejection_limit(self) -> float | None:
        """Return the largest share of rejected answers in a run, or None if nothing is written."""
        return None

    @property
    def list_window(self) -> Window | None:
        """Return the sliding windows that a list is reranked in, or None for the whole list."""
        return None

    @property
    def saved_model(self) -> str | None:
        """Return the saved model that it serves, which was trained; None for another kind."""
        return None

    def before_training(self, trained: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the reranker that `saved_model` was before training.

        trained: the options that it was trained with. It is served with these options.
        """
        raise NotImplementedError(f"{type(self).__name__} serves no saved model")

    @property
    def random_part(self) -> str | None:
        """Return the name of the part that has random weights until trained, or None."""
        return None

    @property
    def may_start_random(self) -> bool:
        """Whether a part may have random weights until trained, judged by the options alone.

        Seeds are planned by this. Override it if `random_part` depends on a model's files: these
        may be fetched between planning and running.
        """
        return self.random_part is not None


class StageWork(NamedTuple):
    """What one stage of training reads, from which a plan estimates its time.

    texts: passages read per training query.
    share: the part of the training queries that is used, as fractions of their hash order.
    max_queries: upper limit on the queries used.
    trains_encoder: whether passages are embedded in every step instead of read from a store.
    queries: labelled, or pseudo-queries, of which there may be as many as passages.
    """

    epochs: int
    texts: int
    share: tuple[float, float] = (0.0, 1.0)
    max_queries: int | None = None
    trains_encoder: bool = True
    queries: QuerySource = "labelled"


class TeacherWork(NamedTuple):
    """What a stage of training needs a teaching system to rank.

    system: the teacher's name.
    share: the part of the training queries, as fractions of their hash order.
    depth: the first stage's best candidates per query that are ranked; None: all of them.
    """

    system: str
    share: tuple[float, float] = (0.0, 1.0)
    depth: int | None = None


class TrainingOptions(Strict):
    """Base of the options that a suite's `training` section sets for one kind of reranker."""

    @property
    def files(self) -> list[Path]:
        """Return the files that training reads: by default, the teachers' rankings."""
        return self.rankings

    @property
    def rankings(self) -> list[Path]:
        """Return the files of teachers' rankings of the training lists."""
        return []

    @property
    def teachers(self) -> tuple[TeacherWork, ...]:
        """Return the systems whose rankings of the training lists it learns from."""
        return ()

    @property
    def needs_labels(self) -> bool:
        """Whether it learns from a collection's train queries."""
        return True

    @property
    def pseudo_queries(self) -> int:
        """Return the most pseudo-queries that are drawn from the collection's own text."""
        return 0

    @property
    def uses_dev_queries(self) -> bool:
        """Whether dev queries are scored during training, for early stopping."""
        return False

    @property
    def recomputes(self) -> bool:
        """Whether forward passes run a second time for the gradients, to save memory."""
        return False

    @property
    def stage_work(self) -> tuple[StageWork, ...] | None:
        """Return what each stage reads, or None if the training time cannot be estimated."""
        return None
