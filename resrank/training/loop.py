"""The training loop that all systems share: rates, clipping, log, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from resrank.model.device import device_name, training_format
from resrank.training.best_epoch import BestEpoch
from resrank.training.checkpoints import Checkpoints
from resrank.training.processes import processes
from resrank.training.schedule import linear
from resrank.training.sharded_tensors import clip_gradients

OnStep = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class TrainingPhase:
    """One stage of a training run.

    rates: peak learning rate of AdamW by parameter name, for each parameter that is trained.
    epochs: passes over the training data, from 1.
    warmup: share of the steps in which the rates rise.
    batches: returns the batches of an epoch. They depend on the epoch's number alone, so that a
        resumed run repeats them.
    backward: adds the gradients of this process's share of a batch, and returns the whole batch's
        losses by name.
    describe: names a batch in an error.
    evaluate: returns the dev score after an epoch; None disables early stopping.
    patience: epochs without a better dev score after which the phase ends. The weights of the best
        epoch are kept.
    accumulate: batches whose gradients are averaged for one step of the optimiser.
    mixed: whether `backward` computes in bfloat16, as `autocast` takes it.
    unit: what a batch's items are, in the plural, for the training log.
    """

    name: str
    rates: Mapping[str, float]
    epochs: int
    warmup: float
    batches: Callable[[int], Sequence[Any]]
    backward: Callable[[Any], dict[str, float]]
    describe: Callable[[Any], str]
    evaluate: Callable[[], float] | None = None
    patience: int = 1
    accumulate: int = 1
    mixed: bool | None = False
    unit: str = "queries"


def fit(
    model: nn.Module, phase: TrainingPhase, checkpoints: Checkpoints, on_step: OnStep | None
) -> None:
    """Train the model in place.

    on_step: receives a row per step, with its losses, number and unit of items, device and number
        formats. It is called in the main process alone.

    A phase that was killed resumes from its last checkpoint. A phase that was completed is skipped,
    and its weights are loaded. Raises FloatingPointError on a loss or gradient that is not finite,
    with the step and the batch.
    """
    named = {n: p for n, p in model.named_parameters() if n in phase.rates}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in named)
    groups = [{"params": [p], "lr": 0.0, "peak": phase.rates[n]} for n, p in named.items()]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01, fused=True)
    run = processes()
    plan = _plan(phase)
    factor = linear(len(plan), phase.warmup)
    best = BestEpoch(phase.name, phase.evaluate, phase.patience, checkpoints)
    done = checkpoints.resume(phase.name, named, optimizer, best.state)
    title, conditions = f"training, {phase.name}", _conditions(phase, next(iter(named.values())))
    with tqdm(
        total=len(plan), initial=done, desc=title, unit="step", disable=not run.is_main
    ) as bar:
        for step in range(done, len(plan)):
            epoch, batches = plan[step]
            if best.is_over:
                break
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor(step)
            optimizer.zero_grad(set_to_none=True)
            losses = _backward(phase, step, batches, checkpoints)
            run.add_up_gradients(named.values())
            _average(named.values(), len(batches))
            length = clip_gradients(list(named.values()), 1.0)
            _check({"length of the gradient": length}, phase, step, batches[0], checkpoints)
            optimizer.step()
            row = {"phase": phase.name, "step": step + 1, "epoch": epoch, **losses, **conditions}
            row["batch"] = sum(map(len, batches))
            if step + 1 == len(plan) or plan[step + 1][0] != epoch:
                row |= best.after_epoch(named)
            checkpoints.save(phase.name, step + 1, len(plan), named, optimizer, best.state)
            bar.update()
            bar.set_postfix({name: f"{value:.4f}" for name, value in losses.items()})
            if on_step and run.is_main:
                on_step(row)
    best.restore(named)


def _conditions(phase: TrainingPhase, trained: nn.Parameter) -> dict[str, str]:
    """Return the fields that all rows of a phase's training log have in common."""
    return {
        "unit": phase.unit,
        "dtype": training_format(trained, phase.mixed),
        "device": device_name(trained.device),
    }


def _plan(phase: TrainingPhase) -> list[tuple[int, Sequence[Any]]]:
    """Return (epoch, batches) per step; an epoch's last step may have fewer batches."""
    plan = []
    for epoch in range(phase.epochs):
        batches = phase.batches(epoch)
        starts = range(0, len(batches), phase.accumulate)
        plan += [(epoch, batches[start : start + phase.accumulate]) for start in starts]
    return plan


def _backward(
    phase: TrainingPhase, step: int, batches: Sequence[Any], checkpoints: Checkpoints
) -> dict[str, float]:
    """Add the gradients of a step's batches and return their mean losses by name."""
    rows = []
    for batch in batches:
        losses = phase.backward(batch)
        _check(losses, phase, step, batch, checkpoints)
        rows.append(losses)
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def _average(parameters: Iterable[nn.Parameter], batches: int) -> None:
    """Divide summed gradients by the number of batches, in place."""
    if batches > 1:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad /= batches


def _check(
    losses: Mapping[str, float],
    phase: TrainingPhase,
    step: int,
    batch: Any,
    checkpoints: Checkpoints,
) -> None:
    """Raise FloatingPointError if a loss is not finite."""
    if not all(math.isfinite(value) for value in losses.values()):
        raise FloatingPointError(
            f"{phase.name}: not finite: {dict(losses)} at step {step} "
            f"(queries {phase.describe(batch)}); "
            "lower the learning rate; the last checkpoint, if one was written, is kept at "
            f"{checkpoints.folder}"
        )
