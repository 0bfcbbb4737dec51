"""A reranker's entry in a configuration, and its options as the kind's own types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from resrank.options import Strict
from resrank.records import Usage
from resrank.registry import resolve
from resrank.reranker import Reranker
from resrank.reranker_options import RerankerOptions, TrainingOptions
from resrank.work import Pass, QueryShape


class RerankerEntry(Strict):
    """A reranker as a configuration names it: its kind and that kind's options."""

    kind: str = Field(description="A registered kind, or 'package.module:Class'.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the kind; see the kind's options."
    )

    @model_validator(mode="after")
    def _check_options(self) -> RerankerEntry:
        options_of(self.kind, self.options)
        return self

    @property
    def reranker(self) -> type[Reranker]:
        """Return the class behind the kind."""
        return resolve(self.kind)

    @property
    def typed_options(self) -> RerankerOptions:
        """Return the options as the kind's type, with every default filled in."""
        return options_of(self.kind, self.options)

    def load(self, model_dir: Path | None = None, seed: int = 0) -> Reranker:
        """Build the reranker, with its trained model if there is one.

        seed: of random weights, if there is none.
        """
        if model_dir is None:
            return self.reranker.start(self.typed_options, seed)
        return self.reranker.load(self.typed_options, model_dir)

    def passes(self, usage: Usage, candidates: int) -> Sequence[Pass] | None:
        """Return the passes that make up a usage, or None if the kind does not state them."""
        return self.reranker.passes(self.typed_options, usage, candidates)

    def estimate_usage(self, shape: QueryShape) -> Usage | None:
        """Return the usage for a query of this shape, or None if the kind does not state it."""
        return self.reranker.estimate_usage(self.typed_options, shape)


def options_of(kind: str, options: Mapping[str, Any]) -> RerankerOptions:
    """Return options as the kind's type. Raises ValueError on a key or value that is wrong."""
    return resolve(kind).Options.model_validate(options)


def training_of(kind: str, training: Mapping[str, Any]) -> TrainingOptions:
    """Return training options as the kind's type. Raises ValueError if it cannot be trained."""
    cls = resolve(kind)
    if cls.Training is None:
        raise ValueError(f"system kind {kind!r} cannot be trained; drop 'training'")
    return cls.Training.model_validate(training)
