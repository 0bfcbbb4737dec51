"""Training on lists of one kind in one phase: what the listwise baselines share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from torch import nn

from resrank.records import TrainingExample
from resrank.reranker import Bench
from resrank.training.checkpoints import Checkpoints
from resrank.training.lists import TrainingList, batches, choose, usable
from resrank.training.loop import Phase, fit
from resrank.training.options import Queries, Stage

Backward = Callable[[Sequence[TrainingList]], dict[str, float]]


def fit_lists(
    model: nn.Module,
    name: str,
    rates: Mapping[str, float],
    options: Queries,
    stage: Stage,
    examples: Sequence[TrainingExample],
    backward: Backward,
    seed: int,
    bench: Bench,
    prepare: Callable[[Sequence[TrainingExample]], None] | None = None,
    mixed: bool | None = False,
) -> dict[str, int]:
    """Fit in place; returns how many queries were used and skipped.

    options: which queries, how often; stage: how lists are made of them; backward: adds a batch's
    gradients and returns its losses by name; prepare: is given the queries that are used, once;
    mixed: whether `backward` computes in bfloat16, as `autocast` takes it.
    Raises ValueError if no list can teach anything.
    """
    found = usable(examples, stage)
    kept = choose(found, options.max_queries, np.random.default_rng([seed]))
    if not kept:
        lists = sum(bool(e.candidates) for e in examples)
        judged = sum(any(grade > 0 for grade in e.grades.values()) for e in examples)
        raise ValueError(
            f"none of {len(examples)} training queries teaches anything: {lists} have candidates, "
            f"{judged} a relevant passage, {len(found)} passages of different grade among the "
            f"{stage.list_length} that are shown; train on more queries, a longer `list_length` or "
            "a better first stage"
        )
    if prepare is not None:
        prepare(kept)
    phase = Phase(
        name, rates, options.epochs, options.warmup,
        lambda epoch: batches(kept, stage, np.random.default_rng([seed, epoch])),
        backward, lambda batch: ", ".join(item.query_id for item in batch[:3]),
        accumulate=options.accumulate, mixed=mixed,
    )  # fmt: skip
    fit(model, phase, Checkpoints(bench.checkpoints, bench.key), bench.on_step)
    model.eval()
    return {"queries_used": len(kept), "queries_skipped": len(examples) - len(found)}
