"""Training examples as lists of grades and texts, chosen and ordered the way a stage asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from resrank.io.hashing import in_hash_order
from resrank.records import Passage, TrainingExample
from resrank.training.options import Stage


class TrainingList(NamedTuple):
    """One query's list: passage texts and their grades, in the order they are fed.

    `relevant` holds every relevant text of the query, whether it is in the list or not: another
    query's passage must not be taken for a negative if it is one of them.
    """

    query_id: str
    query: str
    texts: list[str]
    grades: list[int]
    relevant: frozenset[str]


def usable(examples: Sequence[TrainingExample], stage: Stage) -> list[TrainingExample]:
    """A stage's share of the examples, of which a list holds passages of different grades.

    The rest teach a ranker nothing.
    """
    return [e for e in share(examples, *stage.share) if _teaches(e, stage)]


def share(examples: Sequence[TrainingExample], start: float, end: float) -> list[TrainingExample]:
    """The examples between two shares of them, in the order of sha256(query id)."""
    ordered = in_hash_order(examples, lambda example: example.query.id)
    return ordered[round(start * len(ordered)) : round(end * len(ordered))]


def choose(
    examples: Sequence[TrainingExample], size: int | None, rng: Generator
) -> list[TrainingExample]:
    """At most `size` of the examples (all if None), in a random order."""
    return [examples[i] for i in rng.permutation(len(examples))[:size]]


def batches(
    examples: Sequence[TrainingExample], stage: Stage, rng: Generator
) -> list[list[TrainingList]]:
    """Batches of lists in a random order of queries; the last one may be short."""
    order = rng.permutation(len(examples))
    size = stage.batch_queries
    chosen = [[examples[i] for i in order[s : s + size]] for s in range(0, len(order), size)]
    return [[_list(example, stage, rng) for example in batch] for batch in chosen]


def _teaches(example: TrainingExample, stage: Stage) -> bool:
    if stage.negatives == "sampled":
        return bool(example.positives) and len(example.candidates) > 0
    kept = example.candidates[: stage.list_length]
    return len({example.grades.get(c.passage.id, 0) for c in kept}) > 1


def _list(example: TrainingExample, stage: Stage, rng: Generator) -> TrainingList:
    if stage.negatives == "sampled":
        kept = _sampled(example, stage.list_length, rng)
        if stage.order == "first_stage":  # or the relevant one's place would give it away
            place = {c.passage.id: i for i, c in enumerate(example.candidates)}
            kept = sorted(kept, key=lambda p: place.get(p.id, len(place)))
    else:
        kept = [c.passage for c in example.candidates[: stage.list_length]]
    places = rng.permutation(len(kept)) if stage.order == "shuffled" else np.arange(len(kept))
    passages = [kept[i] for i in places]
    grades = [example.grades.get(p.id, 0) for p in passages]
    return TrainingList(
        example.query.id,
        example.query.text,
        [p.text for p in passages],
        grades,
        frozenset(p.text for p in example.positives),
    )


def _sampled(example: TrainingExample, length: int, rng: Generator) -> list[Passage]:
    """One relevant passage, also one that the first stage missed, among candidates that are not."""
    wrong = [c.passage for c in example.candidates if example.grades.get(c.passage.id, 0) <= 0]
    right = example.positives[int(rng.integers(len(example.positives)))]
    chosen = sorted(int(i) for i in rng.permutation(len(wrong))[: length - 1])
    return [right, *(wrong[i] for i in chosen)]
