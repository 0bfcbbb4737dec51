"""Training examples as lists of grades and texts, shuffled and cut the way a stage asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from resrank.records import TrainingExample


class TrainingList(NamedTuple):
    """One query's list: passage texts and their grades, in the order they are fed."""

    query: str
    texts: list[str]
    grades: list[int]


def usable(examples: Sequence[TrainingExample], list_length: int) -> list[TrainingExample]:
    """Examples whose cut list holds a relevant passage; the others teach a ranker nothing."""
    return [
        e
        for e in examples
        if any(e.grades.get(c.passage.id, 0) > 0 for c in e.candidates[:list_length])
    ]


def batches(
    examples: Sequence[TrainingExample],
    size: int,
    list_length: int,
    shuffled: bool,
    rng: Generator,
) -> Iterator[list[TrainingList]]:
    """Yield batches of lists in a random order of queries; the last one may be short."""
    order = rng.permutation(len(examples))
    for start in range(0, len(order), size):
        chosen = [examples[i] for i in order[start : start + size]]
        yield [_list(example, list_length, shuffled, rng) for example in chosen]


def _list(
    example: TrainingExample, list_length: int, shuffled: bool, rng: Generator
) -> TrainingList:
    kept = list(example.candidates[:list_length])
    places = rng.permutation(len(kept)) if shuffled else np.arange(len(kept))
    passages = [kept[i].passage for i in places]
    grades = [example.grades.get(p.id, 0) for p in passages]
    return TrainingList(example.query.text, [p.text for p in passages], grades)
