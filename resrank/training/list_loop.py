"""Training on lists in one phase, as the listwise baselines share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from resrank.records import TrainingExample
from resrank.reranker import TrainingJob
from resrank.training.checkpoints import Checkpoints
from resrank.training.lists import TrainingList, batches, query_ids, usable
from resrank.training.loop import TrainingPhase, fit
from resrank.training.mixture import choose, used_counts
from resrank.training.options import QueryOptions, TrainingStage
from resrank.training.query_use import report_queries

Backward = Callable[[Sequence[TrainingList]], dict[str, float]]


@dataclass(frozen=True)
class ListPhase:
    """One phase of training on lists.

    rates: peak learning rate of AdamW by parameter name, for each parameter that is trained.
    options: which queries are used, and how often.
    stage: how lists are built from them.
    backward: adds a batch's gradients and returns its losses by name.
    prepare: receives the queries that are used, once, before training.
    mixed: whether `backward` computes in bfloat16, as `autocast` takes it.
    """

    name: str
    rates: Mapping[str, float]
    options: QueryOptions
    stage: TrainingStage
    backward: Backward
    prepare: Callable[[Sequence[TrainingExample]], None] | None = None
    mixed: bool | None = False


def fit_lists(
    model: nn.Module, lists: ListPhase, examples: Sequence[TrainingExample], job: TrainingJob
) -> dict[str, Any]:
    """Train in place, and return how many queries were used and skipped.

    Raises ValueError if no list has passages of different grades to learn from.
    """
    options, stage = lists.options, lists.stage
    candidates = usable(examples, stage)
    kept = choose(candidates, options.max_queries, np.random.default_rng([job.seed]))
    if not kept:
        raise ValueError(_nothing_to_learn(examples, len(candidates), stage.list_length))
    about = stage.model_copy(update={"max_queries": options.max_queries})
    report_queries(lists.name, about, examples, candidates, kept)
    if lists.prepare is not None:
        lists.prepare(kept)
    phase = TrainingPhase(
        name=lists.name,
        rates=lists.rates,
        epochs=options.epochs,
        warmup=options.warmup,
        batches=lambda epoch: batches(kept, stage, np.random.default_rng([job.seed, epoch])),
        backward=lists.backward,
        describe=query_ids,
        accumulate=options.accumulate,
        mixed=lists.mixed,
    )
    fit(model, phase, Checkpoints(job.checkpoints, job.key), job.on_step)
    model.eval()
    return used_counts(examples, candidates, kept)


def _nothing_to_learn(examples: Sequence[TrainingExample], usable: int, list_length: int) -> str:
    listed = sum(bool(e.candidates) for e in examples)
    judged = sum(any(grade > 0 for grade in e.grades.values()) for e in examples)
    return (
        f"none of {len(examples)} training queries teaches anything: {listed} have candidates, "
        f"{judged} a relevant passage, {usable} passages of different grade among the "
        f"{list_length} that a list holds; train on more queries, a longer `list_length` or "
        "a better first stage"
    )
