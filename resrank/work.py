"""How much work a reranker's models do for one query: the records in which it states that."""

from __future__ import annotations

from typing import NamedTuple


class Work(NamedTuple):
    """Sequences that one model reads and writes.

    sequences: their number.
    tokens: positions over all sequences, including those that hold an embedded passage.
    steps: positions decoded one at a time after them, over a cache of keys and values.
    logits: positions at which the whole vocabulary is scored.

    All sequences count as equally long. Where they differ, attention costs more than this says,
    because it grows with the square of the length.
    """

    sequences: float
    tokens: float
    steps: float = 0
    logits: float = 0


class DecoderShape(NamedTuple):
    """The shape of a decoder that starts from random weights.

    vocabulary: the model whose vocabulary it uses; added: tokens added to that vocabulary.
    """

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary: str
    added: int = 0


class FirstLayers(NamedTuple):
    """The first layers of a model; all of them if `layers` is None."""

    model: str
    layers: int | None = None


ModelRef = str | DecoderShape | FirstLayers
"""A model as options name it: a hub id, a folder, 'trained:<system>', or a shape."""


def first_layers(model: str, layers: int | None) -> ModelRef:
    """Return the reference to a model's first layers, or to the whole model if `layers` is None."""
    return model if layers is None else FirstLayers(model, layers)


def model_name(model: ModelRef) -> str | None:
    """Return the name that weights are loaded by; None for a decoder with random weights."""
    if isinstance(model, DecoderShape):
        return None
    return model.model if isinstance(model, FirstLayers) else model


class Pass(NamedTuple):
    """One model's work for one query; `ahead`: it can be done before the query arrives."""

    model: ModelRef
    work: Work
    ahead: bool = False


class QueryShape(NamedTuple):
    """The size of a typical query: its number of candidates, and mean lengths in tokens."""

    candidates: int = 100
    passage_tokens: int = 100
    query_tokens: int = 10
