"""The plain records that all parts of the project exchange: no behaviour, no file, no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from enum import StrEnum
from typing import NamedTuple

GRADES = 3
"""Not relevant (0), partly (1), relevant (2): the grades of mapped judgments and of judges."""


class Split(StrEnum):
    """What a query may be used for. `HELD_OUT` queries are stored and never used."""

    TRAIN = "train"
    DEV = "dev"
    TEST = "test"
    HELD_OUT = "held_out"


@dataclass(frozen=True, slots=True)
class Query:
    """One information need.

    excluded: a passage that must never be retrieved for it, such as the object that a docstrings
        query was taken from, or ArguAna's argument itself.
    instruction: the retrieval instruction of its collection, in a training on several collections;
        elsewhere a system's options hold it.
    """

    id: str
    text: str
    split: Split = Split.TEST
    excluded: str | None = None
    instruction: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """One retrievable text, already joined with its title if it has one.

    title_length: number of characters at the start of the text that are its title.
    """

    id: str
    text: str
    title_length: int = 0


class Candidate(NamedTuple):
    """A passage in a first stage's list, with that first stage's score."""

    passage: Passage
    score: float


@dataclass(slots=True)
class Usage:
    """What one ranking consumed, counted where it happened.

    passage_encoder_tokens: tokens that an encoder reads to embed every candidate, whether the
        embeddings were computed now or came from a store.
    cached_encoder_tokens: the part of these tokens whose embeddings came from a store, so that the
        online part is the difference.
    prompt_tokens: text tokens read at query time: query, instruction, and passage text in prompts.
    query_encoder_tokens: the part of the prompt's tokens that an encoder reads: the query, or a
        prompt that is embedded in its place.
    embedding_slots: positions of a language model that hold an embedding instead of a token.
    generated_tokens: tokens decoded.
    model_calls: forward passes over a list or window; scored pairs for a pointwise system.
    truncated_passages: candidates whose text the model did not read to its end.
    clean_answers: written answers that have the requested form and are complete.
    repaired_answers: written answers that had to be completed.
    rejected_answers: written answers that could not be used, so that the order stayed the same.
    encoded_passages: passage embeddings used, whether computed now or taken from a store.
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

    @property
    def answers(self) -> int:
        """Return the number of written answers: clean, repaired and rejected."""
        return self.clean_answers + self.repaired_answers + self.rejected_answers

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Ranking:
    """A reranker's answer for one query: passage ids, best first, and what it consumed.

    scores: the reranker's scores, on any scale and possibly tied. A run is written with strictly
        decreasing ones instead.
    grade_probabilities: for each passage, in the same order, the probability of every grade from 0
        up, which sum to 1; None from a reranker that gives no grades.
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

    positives: the passages of grade > 0, including those that the first stage missed.
    graded: passages in three grades, 0 to 2, if the collection maps its grades to them. If its
        judgments are complete, the candidates that are not judged have grade 0.
    teacher_scores: passage id -> a teacher's score, to filter negatives by; empty without one.
    collection: the name of the collection that it comes from.
    weight: its collection's share of the training queries, relative to those of the others.
    id_prefix: what stands before the query's id, so that the ids of several collections differ.
    """

    query: Query
    candidates: Sequence[Candidate]
    grades: Mapping[str, int]
    positives: Sequence[Passage]
    graded: Mapping[str, int] = field(default_factory=dict)
    teacher_scores: Mapping[str, float] = field(default_factory=dict)
    collection: str = ""
    weight: float = 1.0
    id_prefix: str = ""

    @property
    def id_in_collection(self) -> str:
        """Return the query's id without the prefix, as the files of its collection have it."""
        return self.query.id.removeprefix(self.id_prefix)
