"""Training lists: passage texts with grades, selected and ordered as a stage's options say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from resrank.records import Passage, TrainingExample
from resrank.training.mixture import check_mixture, in_batches, share
from resrank.training.options import TrainingStage
from resrank.training.teacher import scored_by, taught_by
from resrank.training.teacher_options import ENCODER, NegativeFilter


class TrainingList(NamedTuple):
    """One query's list: passage texts and their grades, in the order in which a model reads them.

    relevant: every relevant text of the query, in the list or not. With in-batch negatives, another
        query's passage must not count as a negative if it is one of these.
    instruction: the retrieval instruction of the query's collection, in a mixture.
    """

    query_id: str
    query: str
    texts: list[str]
    grades: list[int]
    relevant: frozenset[str]
    instruction: str = ""


def usable(examples: Sequence[TrainingExample], stage: TrainingStage) -> list[TrainingExample]:
    """Return the examples of a stage's share whose lists have passages of different grades.

    A ranker learns nothing from the others. Where the stage has a teacher, its orderings grade the
    lists; those of the encoder are made later. Raises DataError if the teacher's file is malformed
    or ranks none of the queries, and ValueError if a collection of a mixture has nothing to learn
    from.
    """
    shared: Sequence[TrainingExample] = share(examples, *stage.share)
    if stage.teacher not in (None, ENCODER):
        shared = taught_by(shared, Path(stage.teacher), labels_first=stage.labels == "first")
    if stage.negative_filter is not None:
        shared = scored_by(shared, Path(stage.negative_filter.teacher))
    kept = [e for e in shared if _teaches(e, stage)]
    check_mixture(examples, kept)
    return kept


def batches(
    examples: Sequence[TrainingExample], stage: TrainingStage, rng: Generator
) -> list[list[TrainingList]]:
    """Build lists in a random order of queries, and return them in batches of one collection."""
    chosen = in_batches(examples, stage.batch_queries, rng)
    return [[_list(example, stage, rng) for example in batch] for batch in chosen]


def query_ids(batch: Sequence[TrainingList]) -> str:
    """Return the ids of a batch's first three queries, to name it in an error."""
    return ", ".join(item.query_id for item in batch[:3])


def _teaches(example: TrainingExample, stage: TrainingStage) -> bool:
    if stage.negatives == "sampled":
        return bool(example.positives) and len(example.candidates) > 0
    kept = example.candidates[: stage.list_length]
    if stage.teacher == ENCODER:
        return len(kept) > 1
    return len({example.grades.get(c.passage.id, 0) for c in kept}) > 1


def _list(example: TrainingExample, stage: TrainingStage, rng: Generator) -> TrainingList:
    if stage.negatives == "sampled":
        kept = _sampled(example, stage, rng)
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
        example.query.instruction,
    )


def negatives_of(
    example: TrainingExample, positive: Passage, options: NegativeFilter | None
) -> list[Passage]:
    """Return the candidates that are not judged relevant, in list order.

    With a filter, those whose teacher's score is above the positive's minus the margin are left
    out. If the teacher has not scored the positive, all are kept.
    """
    wrong = [c.passage for c in example.candidates if example.grades.get(c.passage.id, 0) <= 0]
    scores = example.teacher_scores
    if options is None or positive.id not in scores:
        return wrong
    limit = scores[positive.id] - options.margin
    return [p for p in wrong if p.id not in scores or scores[p.id] <= limit]


def _sampled(example: TrainingExample, stage: TrainingStage, rng: Generator) -> list[Passage]:
    """Return one relevant passage and candidates that are not relevant, drawn at random.

    The relevant passage may be one that the first stage missed.
    """
    right = example.positives[int(rng.integers(len(example.positives)))]
    wrong = negatives_of(example, right, stage.negative_filter)
    chosen = sorted(int(i) for i in rng.permutation(len(wrong))[: stage.list_length - 1])
    return [right, *(wrong[i] for i in chosen)]
