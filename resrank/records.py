"""The plain records that travel between the rooms: no behaviour, no file, no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from typing import NamedTuple

GRADES = 3
"""Not relevant (0), partly (1), relevant (2): what judgments are mapped to, and judges give."""


class Split(StrEnum):
    """What a query may be used for. `HELD_OUT` queries are stored and never used."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"
    HELD_OUT = "held_out"


@dataclass(frozen=True, slots=True)
class Query:
    """One information need. `excluded` is a passage that must never be retrieved for it
    (the object that a docstrings query was taken from, an ArguAna self-hit)."""

    id: str
    text: str
    split: Split = Split.TEST
    excluded: str | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """One retrievable text; a title, where there is one, is already joined to it."""

    id: str
    text: str


class Candidate(NamedTuple):
    """A passage at its place in a first stage's list, with that first stage's score."""

    passage: Passage
    score: float


@dataclass(slots=True)
class Usage:
    """What one ranking consumed, counted where it happened.

    passage_encoder_tokens: tokens that an encoder reads to embed every candidate, whether those
        embeddings were computed now or taken from a store (`cached_encoder_tokens` says how many
        of them came from a store, so the online part is the difference).
    prompt_tokens: text tokens read at query time: query, instruction, and passage text in prompts.
    query_encoder_tokens: of the prompt's tokens, those that an encoder reads: the query's, or a
        prompt's that is embedded in its place.
    embedding_slots: positions of a language model fed with an embedding in place of a token.
    generated_tokens: tokens decoded.
    model_calls: forward passes over a (sub)list, or scored pairs for a pointwise system.
    truncated_passages: candidates of which the model did not see the whole text.
    clean_answers, repaired_answers, rejected_answers: of a language model's written answers, those
        in the asked form and whole, those made whole, those that left the order as it was.
    encoded_passages: embeddings of passages asked for, computed now or taken from a store.
    """

    passage_encoder_tokens: int = 0
    cached_encoder_tokens: int = 0
    prompt_tokens: int = 0
    embedding_slots: int = 0
    generated_tokens: int = 0
    model_calls: int = 0
    truncated_passages: int = 0
    clean_answers: int = 0
    repaired_answers: int = 0
    rejected_answers: int = 0
    query_encoder_tokens: int = 0
    encoded_passages: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Ranking:
    """A reranker's answer for one query: passage ids, best first, and what it consumed.

    `scores` are the system's own (may tie, any scale); a run is written with strictly
    decreasing ones. `grade_probabilities`, of a system that gives grades: for each passage, in the
    same order, the probability of every grade from 0 up; each sums to 1.
    """

    query_id: str
    passage_ids: tuple[str, ...]
    scores: tuple[float, ...]
    usage: Usage = field(default_factory=Usage)
    grade_probabilities: tuple[tuple[float, ...], ...] | None = None


Qrels = Mapping[str, Mapping[str, int]]
"""query id -> passage id -> grade."""


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """A query with its first-stage list and the grades of its judged passages.

    `positives` holds the passages of grade > 0, also those that the first stage missed. `graded`:
    the judged in three grades, 0 to 2, if the collection says how its own map to them; of one
    whose judgments are complete, the other candidates too, with grade 0.
    """

    query: Query
    candidates: Sequence[Candidate]
    grades: Mapping[str, int]
    positives: Sequence[Passage]
    graded: Mapping[str, int] = field(default_factory=dict)
