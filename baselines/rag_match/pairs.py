"""Labelled pairs of a query and a passage, drawn from a collection's graded training queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from numpy.random import Generator

from resrank.records import GRADES, Passage, TrainingExample


class Pair(NamedTuple):
    """A query and a passage; the grade, from 0 up, that people or the collection gave it."""

    query_id: str
    query: str
    passage: Passage
    grade: int


def labelled(example: TrainingExample) -> list[Pair]:
    """Every graded passage whose text is known: the candidates, then relevant ones they lack."""
    texts = {c.passage.id: c.passage for c in example.candidates}
    texts |= {p.id: p for p in example.positives if p.id not in texts}
    return [
        Pair(example.query.id, example.query.text, passage, example.graded[passage_id])
        for passage_id, passage in texts.items()
        if passage_id in example.graded
    ]


def balanced(examples: Sequence[TrainingExample], size: int, rng: Generator) -> list[Pair]:
    """At most `size` pairs a query: grades in turn, the highest first, so that each is learned."""
    pairs: list[Pair] = []
    for example in examples:
        pairs += _in_turn(labelled(example), size, rng)
    return pairs


def as_ranked(examples: Sequence[TrainingExample], size: int, rng: Generator) -> list[Pair]:
    """At most `size` pairs a query, drawn as they come: the grades that a reranker meets."""
    pairs: list[Pair] = []
    for example in examples:
        found = labelled(example)
        pairs += [found[i] for i in sorted(rng.permutation(len(found))[:size])]
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


def _in_turn(pairs: Sequence[Pair], size: int, rng: Generator) -> Iterator[Pair]:
    """One pair of each grade that is left, again and again, each drawn at random."""
    by_grade = [[pairs[i] for i in rng.permutation(len(pairs)) if pairs[i].grade == grade]
                for grade in reversed(range(GRADES))]  # fmt: skip
    for _ in range(size):
        by_grade = [left for left in by_grade if left]
        if not by_grade:
            return
        yield by_grade[0].pop()
        by_grade = [*by_grade[1:], by_grade[0]]
