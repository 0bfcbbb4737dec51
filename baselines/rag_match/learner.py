"""What the three stages share: the model in training, one way to fit it and one to save it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn

from baselines.llm.backends.transformers import TransformersModel
from baselines.rag_match.judge import Judge
from baselines.rag_match.lazy_batch import LazyBatch
from baselines.rag_match.likelihood import Likelihood
from baselines.rag_match.options import JudgeOptions, JudgeStage, JudgeTraining
from baselines.rag_match.pairs import GradedPair
from baselines.rag_match.trace import OPENING
from resrank.io.atomic import atomic_folder, write_json
from resrank.model.device import autocast, set_seeds
from resrank.reranker import TrainingJob
from resrank.training.checkpoints import Checkpoints
from resrank.training.loop import TrainingPhase, fit
from resrank.training.lora import recompute_layers, with_adapters
from resrank.training.processes import processes


@dataclass(frozen=True)
class StageTask:
    """What a stage learns from, and its losses.

    weights: of the losses, by name, in the order in which `losses` returns them.
    losses: given this process's share of a batch and the size of the whole batch, returns its part
    of each loss, (losses,). The parts of all processes add up to the batch's losses.
    describe: names an item in an error.
    unit: what the items are, in the plural, for the training log.
    """

    name: str
    items: Sequence[Any]
    batch_size: int
    weights: Mapping[str, float]
    losses: Callable[[Sequence[Any], int], Tensor]
    describe: Callable[[Any], str]
    unit: str = "pairs"


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

    def rng(self, *purpose: int) -> Generator:
        """Return a random generator that depends on the seed and on a purpose's numbers alone."""
        return np.random.default_rng([self.seed, *purpose])

    def mixed(self) -> torch.autocast:
        """Return the context in which training computes, bfloat16 or float32."""
        return autocast(self.training.autocast, self.model.device)

    def label_loss(self, pairs: Sequence[GradedPair]) -> Tensor:
        """Return the sum of the pairs' cross-entropies over grades, without a trace, a scalar."""
        prompts = [self.judge.prompt_of(pair.query, pair.passage.text).prompt for pair in pairs]
        ids = self.model.tokenize(prompts, opening=OPENING)
        logits = self.likelihood.grades(ids, self.judge.grades)
        grades = torch.tensor([pair.grade for pair in pairs], device=logits.device)
        return nn.functional.cross_entropy(logits, grades, reduction="sum")

    def fit(self, stage: JudgeStage, task: StageTask) -> None:
        """Fit the model in place on batches of the task's items in a random order per epoch."""
        if self.training.gradient_checkpointing:
            recompute_layers(self.base)
        phase = TrainingPhase(
            task.name,
            dict.fromkeys(self.trained, stage.learning_rate),
            stage.epochs,
            stage.warmup,
            partial(self._batches, task),
            partial(self._backward, task),
            lambda batch: ", ".join(task.describe(item) for item in batch[:3]),
            accumulate=stage.accumulate,
            mixed=self.training.autocast,
            unit=task.unit,
        )
        fit(self.model.model, phase, self.checkpoints, self.job.on_step)
        self.model.model.eval()  # Layers that are recomputed keep no cache to generate with.

    def save(self, out: Path, counts: Mapping[str, Any]) -> None:
        """Write the model under `out`, adapters merged, so that the folder's name loads it.

        counts: what each stage counted, for the model's provenance.
        """
        if self.training.lora is not None:
            self.model.model = self.model.model.merge_and_unload()
        if not self.run.is_main:
            return
        with atomic_folder(out) as folder:
            self.model.model.save_pretrained(folder)
            self.model.tokenizer.save_pretrained(folder)
            about = {"seed": self.seed, "training": self.training.model_dump(mode="json")}
            write_json(folder / "provenance.json", about | dict(counts))

    def _batches(self, task: StageTask, epoch: int) -> list[LazyBatch]:
        order = self.rng(epoch).permutation(len(task.items))
        starts = range(0, len(order), task.batch_size)
        return [LazyBatch(task.items, order[s : s + task.batch_size]) for s in starts]

    def _backward(self, task: StageTask, batch: Sequence[Any]) -> dict[str, float]:
        """Add the gradients of this process's share; return the whole batch's losses by name."""
        total = torch.zeros(len(task.weights), device=self.model.device)
        mine = self.run.share(batch)
        if mine:
            losses = task.losses(mine, len(batch))
            weights = losses.new_tensor(list(task.weights.values()))
            (losses @ weights).backward()  # type: ignore[no-untyped-call]
            total += losses.detach()
        return dict(zip(task.weights, self.run.add_up(total).tolist(), strict=True))
