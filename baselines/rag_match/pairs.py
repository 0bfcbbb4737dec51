"""Graded pairs of a query and a passage, drawn from a collection's training queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from numpy.random import Generator

from resrank.records import GRADES, Passage, TrainingExample


class GradedPair(NamedTuple):
    """A query and a passage with the grade, from 0 up, that the collection's judgments give."""

    query_id: str
    query: str
    passage: Passage
    grade: int


def graded_pairs(example: TrainingExample) -> list[GradedPair]:
    """Return a pair for every graded passage with a text.

    Candidates come first, in their order, then relevant passages that are no candidates.
    """
    texts = {c.passage.id: c.passage for c in example.candidates}
    texts |= {p.id: p for p in example.positives if p.id not in texts}
    return [
        GradedPair(example.query.id, example.query.text, passage, example.graded[passage_id])
        for passage_id, passage in texts.items()
        if passage_id in example.graded
    ]


def balanced(examples: Sequence[TrainingExample], size: int, rng: Generator) -> list[GradedPair]:
    """Draw at most `size` pairs per query; grades take turns, the highest first.

    Taking turns gives rare grades as many pairs as frequent ones.
    """
    pairs: list[GradedPair] = []
    for example in examples:
        pairs += _in_turn(graded_pairs(example), size, rng)
    return pairs


def as_ranked(examples: Sequence[TrainingExample], size: int, rng: Generator) -> list[GradedPair]:
    """Draw at most `size` pairs per query at random, with the grades that a reranker meets."""
    pairs: list[GradedPair] = []
    for example in examples:
        candidates = graded_pairs(example)
        pairs += [candidates[i] for i in sorted(rng.permutation(len(candidates))[:size])]
    return pairs


def check_graded(examples: Sequence[TrainingExample]) -> None:
    """Raise ValueError if no training query has grades to learn from."""
    if any(example.graded for example in examples):
        return
    raise ValueError(
        f"none of {len(examples)} training queries has judgments in {GRADES} grades, which this "
        "system learns; give the collection's entry `grades_from: [1, 2]`, say: the lowest of its "
        "own grades that count as 1 (partly relevant) and as 2 (relevant); [1, 1] for a binary one"
    )


def _in_turn(pairs: Sequence[GradedPair], size: int, rng: Generator) -> Iterator[GradedPair]:
    """Yield at most `size` pairs, cycling over the grades that are left, each drawn at random."""
    by_grade = [
        [pairs[i] for i in rng.permutation(len(pairs)) if pairs[i].grade == grade]
        for grade in reversed(range(GRADES))
    ]
    for _ in range(size):
        by_grade = [left for left in by_grade if left]
        if not by_grade:
            return
        yield by_grade[0].pop()
        by_grade = [*by_grade[1:], by_grade[0]]
