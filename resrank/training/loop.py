"""The loop that every trained system shares: rates, clipping, log, checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from resrank.training.checkpoints import Checkpoints
from resrank.training.schedule import linear

OnStep = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Phase:
    """One stage of a training run.

    rates: parameter name -> AdamW's peak rate, for each parameter that is trained.
    batches: epoch -> its batches; a function of nothing else, so that a resumed run repeats them.
    backward: adds a batch's gradients and returns its losses by name.
    describe: names a batch in an error.
    """

    name: str
    rates: Mapping[str, float]
    epochs: int
    warmup: float
    batches: Callable[[int], Sequence[Any]]
    backward: Callable[[Any], dict[str, float]]
    describe: Callable[[Any], str]


def fit(model: nn.Module, phase: Phase, checkpoints: Checkpoints, on_step: OnStep | None) -> None:
    """Train in place. Raises FloatingPointError on a non-finite loss, naming step and batch.

    A phase that a checkpoint says is over is skipped, with its weights loaded; one that was killed
    goes on where its last checkpoint stands.
    """
    named = {n: p for n, p in model.named_parameters() if n in phase.rates}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in named)
    groups = [{"params": [p], "lr": 0.0, "peak": phase.rates[n]} for n, p in named.items()]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    plan = [(e, batch) for e in range(phase.epochs) for batch in phase.batches(e)]
    factor = linear(len(plan), phase.warmup)
    done = checkpoints.resume(phase.name, named, optimizer)
    with tqdm(total=len(plan), initial=done, desc=f"training, {phase.name}", unit="step") as bar:
        for step in range(done, len(plan)):
            epoch, batch = plan[step]
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * factor(step)
            optimizer.zero_grad(set_to_none=True)
            losses = phase.backward(batch)
            if not all(torch.isfinite(torch.tensor(v)) for v in losses.values()):
                raise FloatingPointError(
                    f"{phase.name}: loss {losses} at step {step} (queries "
                    f"{phase.describe(batch)}); lower the learning rate; the last checkpoint, if "
                    f"one was written, is kept at {checkpoints.folder}"
                )
            nn.utils.clip_grad_norm_(list(named.values()), 1.0)
            optimizer.step()
            checkpoints.save(phase.name, step + 1, len(plan), named, optimizer)
            bar.update()
            bar.set_postfix({name: f"{value:.4f}" for name, value in losses.items()})
            if on_step:
                on_step({"phase": phase.name, "step": step + 1, "epoch": epoch, **losses})
