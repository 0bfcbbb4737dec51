"""Training lists: passage texts with grades, selected and ordered as a stage's options say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from resrank.io.hashing import in_hash_order
from resrank.records import Passage, TrainingExample
from resrank.training.options import TrainingStage


class TrainingList(NamedTuple):
    """One query's list: passage texts and their grades, in the order in which a model reads them.

    relevant: every relevant text of the query, in the list or not. With in-batch negatives, another
    query's passage must not count as a negative if it is one of these.
    """

    query_id: str
    query: str
    texts: list[str]
    grades: list[int]
    relevant: frozenset[str]


def usable(examples: Sequence[TrainingExample], stage: TrainingStage) -> list[TrainingExample]:
    """Return the examples of a stage's share whose lists have passages of different grades.

    A ranker learns nothing from the others.
    """
    return [e for e in share(examples, *stage.share) if _teaches(e, stage)]


def share(examples: Sequence[TrainingExample], start: float, end: float) -> list[TrainingExample]:
    """The examples between two shares of them, in the order of sha256(query id)."""
    ordered = in_hash_order(examples, lambda example: example.query.id)
    return ordered[round(start * len(ordered)) : round(end * len(ordered))]


def choose(
    examples: Sequence[TrainingExample], size: int | None, rng: Generator
) -> list[TrainingExample]:
    """Return at most `size` of the examples (all if None), in a random order."""
    return [examples[i] for i in rng.permutation(len(examples))[:size]]


def batches(
    examples: Sequence[TrainingExample], stage: TrainingStage, rng: Generator
) -> list[list[TrainingList]]:
    """Build lists in a random order of queries, and return them in batches.

    The last batch may be smaller.
    """
    order = rng.permutation(len(examples))
    size = stage.batch_queries
    chosen = [[examples[i] for i in order[s : s + size]] for s in range(0, len(order), size)]
    return [[_list(example, stage, rng) for example in batch] for batch in chosen]


def query_ids(batch: Sequence[TrainingList]) -> str:
    """Return the ids of a batch's first three queries, to name it in an error."""
    return ", ".join(item.query_id for item in batch[:3])


def _teaches(example: TrainingExample, stage: TrainingStage) -> bool:
    if stage.negatives == "sampled":
        return bool(example.positives) and len(example.candidates) > 0
    kept = example.candidates[: stage.list_length]
    return len({example.grades.get(c.passage.id, 0) for c in kept}) > 1


def _list(example: TrainingExample, stage: TrainingStage, rng: Generator) -> TrainingList:
    if stage.negatives == "sampled":
        kept = _sampled(example, stage.list_length, rng)
        if stage.order == "first_stage":  # A fixed place would reveal the relevant passage.
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
    """Return one relevant passage and candidates that are not relevant, drawn at random.

    The relevant passage may be one that the first stage missed.
    """
    wrong = [c.passage for c in example.candidates if example.grades.get(c.passage.id, 0) <= 0]
    right = example.positives[int(rng.integers(len(example.positives)))]
    chosen = sorted(int(i) for i in rng.permutation(len(wrong))[: length - 1])
    return [right, *(wrong[i] for i in chosen)]
