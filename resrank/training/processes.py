"""Data-parallel training over several processes, started by accelerate or torchrun.

Every process has the whole batch and works on its share of it. Losses are divided by the size of
the whole batch, and gradients are summed over processes. Any number of processes therefore takes
the steps that one process would. Where accelerate's configuration asks for FSDP, the models' layers
are sharded (torch's `fully_shard`), for models that one device cannot hold with their optimiser.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.tensor import DTensor

from resrank.training.sharded_tensors import whole

Element = TypeVar("Element")
Produced = TypeVar("Produced")


class Processes:
    """The processes of one training run. With one process, every method is trivial."""

    def __init__(self, rank: int = 0, count: int = 1, sharded: bool = False) -> None:
        self.rank = rank
        self.count = count
        self.sharded = sharded

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def share(self, items: Sequence[Element], rank: int | None = None) -> list[Element]:
        """Return the items of one process, this one by default: every `count`-th item."""
        return list(items[self.rank if rank is None else rank :: self.count])

    def add_up(self, tensor: Tensor) -> Tensor:
        """Sum all processes' tensors in place and return the sum."""
        if self.count > 1:
            dist.all_reduce(tensor)
        return tensor

    def add_up_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give each process the sum of all gradients.

        For sharded weights torch has averaged the gradients, so these are multiplied by `count`.
        """
        if self.count == 1:
            return
        listed = list(parameters)
        device = listed[0].device
        used = self.add_up(
            torch.tensor([p.grad is not None for p in listed], device=device).float()
        )
        for parameter, processes_with_one in zip(listed, used.tolist(), strict=True):
            if not processes_with_one:  # As with one process, such a weight keeps no gradient.
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            elif isinstance(parameter, DTensor):
                parameter.grad *= self.count
            if not isinstance(parameter, DTensor):
                self.add_up(parameter.grad)

    def interleaved(self, rows: Tensor, total: int) -> Tensor:
        """Return all processes' rows in order, (total, width), from each process's `share`."""
        if self.count == 1:
            return rows
        together = rows.new_zeros(total, rows.shape[1])
        together[self.rank :: self.count] = rows
        return self.add_up(together)

    def gathered(self, items: Sequence[Element], total: int) -> list[Element]:
        """Return all processes' items in order, `total` of them, from each process's `share`."""
        if self.count == 1:
            return list(items)
        parts: list[Any] = [None] * self.count
        dist.all_gather_object(parts, list(items))
        return [parts[place % self.count][place // self.count] for place in range(total)]

    def from_main(self, value: float) -> float:
        """Return the main process's number, for a decision that all processes must share."""
        if self.count == 1:
            return value
        device = "cuda" if torch.cuda.is_available() else "cpu"
        number = torch.tensor(value if self.is_main else 0.0, dtype=torch.float64, device=device)
        return float(self.add_up(number))

    def main_first(self, make: Callable[[], Produced]) -> Produced:
        """Call `make` in every process, in the main one first; return its value in each.

        The other processes can read the files that the main one has written. So a language model
        with recorded answers is called, and paid, only once.
        """
        if not self.is_main:
            self.wait()
            return make()
        value = make()
        self.wait()
        return value

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            dist.barrier()

    def shard(self, model: nn.Module) -> None:
        """Shard a model's layers over the processes, if the run asks for it.

        Token embeddings stay whole in each process: the prompt is built from them outside the
        model's forward pass.
        """
        if not self.sharded:
            return
        from torch.distributed.fsdp import fully_shard
        from transformers.modeling_layers import GradientCheckpointingLayer

        kept = set(model.get_input_embeddings().parameters())  # type: ignore[operator]
        layers = [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]
        for module in [*layers, model]:
            fully_shard(module, reshard_after_forward=True, ignored_params=kept)

    def on_main(self, named: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
        """Return whole tensors in the main process's host memory, and nothing in the others.

        Tensors are gathered one at a time, so that no device holds them all.
        """
        tensors = {}
        for name, tensor in named:
            gathered = whole(tensor)
            if self.is_main:
                tensors[name] = gathered.cpu() if self.sharded else gathered
        return tensors


@cache
def processes() -> Processes:
    """Return the run's processes, from the launcher's environment."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes()
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    return Processes(state.process_index, state.num_processes, sharded)
