"""What the three stages share: the model in training, its weights, one way to fit and to save."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn

from baselines.llm.backends.transformers import TransformersModel
from baselines.rag_match.judge import Judge
from baselines.rag_match.options import (
    Alignment,
    Calibration,
    JudgeOptions,
    JudgeTraining,
    Knowledge,
)
from baselines.rag_match.pairs import Pair
from baselines.rag_match.sequences import Likelihood
from baselines.rag_match.trace import OPENING
from resrank.io.atomic import atomic_folder, write_json
from resrank.model.device import autocast, set_seeds
from resrank.reranker import TrainingJob
from resrank.training.checkpoints import Checkpoints
from resrank.training.loop import TrainingPhase, fit
from resrank.training.lora import recompute_layers, with_adapters
from resrank.training.processes import processes

Item = TypeVar("Item")
Made = TypeVar("Made")
Losses = Callable[[Sequence[Any], int], Tensor]
"""(this process's share of a batch's items, how many the whole batch has) -> its part of each loss;
the parts of all processes add up to the batch's."""
Stage = Knowledge | Alignment | Calibration


class Learner:
    """A language model that is trained stage by stage."""

    def __init__(self, options: JudgeOptions, training: JudgeTraining, job: TrainingJob) -> None:
        set_seeds(job.seed)
        llm = options.llm.model_copy(update={"dtype": "float32"})
        self.model = TransformersModel(llm, job.seed)
        self.options = options
        self.training = training
        self.seed = job.seed
        self.job = job
        self.run = processes()
        self.judge = Judge(self.model, options)
        self.likelihood = Likelihood(self.model, training.autocast)
        self.base = self.model.model
        table = self.base.get_input_embeddings().weight
        if training.lora is not None:
            self.model.model = with_adapters(self.base, training.lora)
        self.trained = [
            name
            for name, parameter in self.model.model.named_parameters()
            if parameter is not table and (training.lora is None or "lora_" in name)
        ]
        self.checkpoints = Checkpoints(job.checkpoints, job.key)

    def rng(self, *stage: int) -> Generator:
        """A generator of one use of one stage."""
        return np.random.default_rng([self.seed, *stage])

    def mixed(self) -> torch.autocast:
        """The number format of training."""
        return autocast(self.training.autocast, self.model.device)

    def label_loss(self, pairs: Sequence[Pair]) -> Tensor:
        """The sum of the grades' cross-entropies, each among all grades and without a trace."""
        prompts = [self.judge.show(pair.query, pair.passage.text).prompt for pair in pairs]
        ids = self.model.tokenize(prompts, opening=OPENING)
        logits = self.likelihood.grades(ids, self.judge.grades)
        grades = torch.tensor([pair.grade for pair in pairs], device=logits.device)
        return nn.functional.cross_entropy(logits, grades, reduction="sum")

    def fit(
        self, name: str, stage: Stage, items: Sequence[Any], size: int,
        weights: Mapping[str, float], losses: Losses, describe: Callable[[Any], str],
        unit: str = "pairs",
    ) -> None:  # fmt: skip
        """Fit in place on batches of `size` items in a random order.

        weights: of the losses, by name, in the order in which `losses` gives them; unit: what the
        items are.
        """
        if self.training.gradient_checkpointing:
            recompute_layers(self.base)
        rates = dict.fromkeys(self.trained, stage.learning_rate)
        phase = TrainingPhase(
            name, rates, stage.epochs, stage.warmup, partial(self._batches, items, size),
            partial(self._backward, weights, losses),
            lambda batch: ", ".join(describe(item) for item in batch[:3]),
            accumulate=stage.accumulate, mixed=self.training.autocast, unit=unit,
        )  # fmt: skip
        fit(self.model.model, phase, self.checkpoints, self.job.on_step)
        self.model.model.eval()  # layers that are recomputed keep no cache to generate with

    def save(self, out: Path, counts: Mapping[str, Any]) -> None:
        """Write the model under `out`, loadable by the folder's name, adapters merged."""
        if self.training.lora is not None:
            self.model.model = self.model.model.merge_and_unload()
        if not self.run.is_main:
            return
        with atomic_folder(out) as folder:
            self.model.model.save_pretrained(folder)
            self.model.tokenizer.save_pretrained(folder)
            about = {"seed": self.seed, "training": self.training.model_dump(mode="json")}
            write_json(folder / "provenance.json", about | dict(counts))

    def _batches(self, items: Sequence[Any], size: int, epoch: int) -> list[_Batch]:
        order = self.rng(epoch).permutation(len(items))
        return [_Batch(items, order[s : s + size]) for s in range(0, len(order), size)]

    def _backward(
        self, weights: Mapping[str, float], losses: Losses, batch: Sequence[Any]
    ) -> dict[str, float]:
        total = torch.zeros(len(weights), device=self.model.device)
        mine = self.run.share(batch)
        if mine:
            found = losses(mine, len(batch))
            (found @ found.new_tensor(list(weights.values()))).backward()  # type: ignore[no-untyped-call]
            total += found.detach()
        return dict(zip(weights, self.run.add_up(total).tolist(), strict=True))


class _Batch(Sequence[Any]):
    """Items at some places, looked up when they are needed: of a file's lines, none is held."""

    def __init__(self, items: Sequence[Any], places: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        self.items = items
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self.items[int(place)] for place in self.places[index]]
        return self.items[int(self.places[index])]


def on_main_first(make: Callable[[], Made]) -> Made:
    """What `make` gives in each process, the main one first: the others find what it has written.

    So a language model is asked, and paid, once.
    """
    run = processes()
    if run.is_main:
        made = make()
        run.wait()
        return made
    run.wait()
    return make()
