"""Data-parallel training over several processes, started by accelerate or torchrun.

Every process holds the same batch and works on its share of it; losses are divided by what the
whole batch holds, and gradients are added up, so that any number of processes takes the steps that
one would. Where accelerate's configuration asks for FSDP, both models' layers are sharded
(torch's `fully_shard`), for models that one device cannot hold with their optimiser.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.tensor import DTensor, distribute_tensor

Item = TypeVar("Item")
Produced = TypeVar("Produced")


class Processes:
    """The processes of one training run; a run of one process does nothing here."""

    def __init__(self, rank: int = 0, count: int = 1, sharded: bool = False) -> None:
        self.rank = rank
        self.count = count
        self.sharded = sharded

    @property
    def is_main(self) -> bool:
        """Whether this one writes files and shows progress."""
        return self.rank == 0

    def share(self, items: Sequence[Item], rank: int | None = None) -> list[Item]:
        """What one process, this one by default, works on: every `count`-th item."""
        return list(items[self.rank if rank is None else rank :: self.count])

    def add_up(self, tensor: Tensor) -> Tensor:
        """The sum of all processes' tensors, in place."""
        if self.count > 1:
            dist.all_reduce(tensor)
        return tensor

    def add_up_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give each process the sum of all gradients; of sharded weights, torch made the mean."""
        if self.count == 1:
            return
        listed = list(parameters)
        device = listed[0].device
        used = self.add_up(
            torch.tensor([p.grad is not None for p in listed], device=device).float()
        )
        for parameter, processes_with_one in zip(listed, used.tolist(), strict=True):
            if not processes_with_one:  # as with one process: such a weight is left alone
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            elif isinstance(parameter, DTensor):
                parameter.grad *= self.count
            if not isinstance(parameter, DTensor):
                self.add_up(parameter.grad)

    def interleaved(self, own: Tensor, total: int) -> Tensor:
        """All processes' rows, (total, width), from each one's `share` of them."""
        if self.count == 1:
            return own
        rows = own.new_zeros(total, own.shape[1])
        rows[self.rank :: self.count] = own
        return self.add_up(rows)

    def gathered(self, own: Sequence[Item], total: int) -> list[Item]:
        """All processes' items, `total` of them in their order, from each one's `share`."""
        if self.count == 1:
            return list(own)
        parts: list[Any] = [None] * self.count
        dist.all_gather_object(parts, list(own))
        return [parts[place % self.count][place // self.count] for place in range(total)]

    def from_main(self, value: float) -> float:
        """The main process's number, for a decision that all must take alike."""
        if self.count == 1:
            return value
        device = "cuda" if torch.cuda.is_available() else "cpu"
        told = torch.tensor(value if self.is_main else 0.0, dtype=torch.float64, device=device)
        return float(self.add_up(told))

    def main_first(self, make: Callable[[], Produced]) -> Produced:
        """Call `make` in every process, in the main one first; return its value in each.

        The other processes can read the files that the main one has written. A language model that
        records its answers is so called, and paid, once.
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
        """Spread a model's layers over the processes, if the run is to be sharded.

        Token embeddings stay whole on each: the prompt is built from them outside the model's own
        forward pass.
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
        """Whole tensors in the main process's host memory; nothing in the others.

        They are put together one at a time, since no device need hold them all.
        """
        found = {}
        for name, tensor in named:
            one = whole(tensor)
            if self.is_main:
                found[name] = one.cpu() if self.sharded else one
        return found


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put weights into a model by their names."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


@cache
def processes() -> Processes:
    """The run's processes, as the launcher's environment says."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Processes()
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    return Processes(state.process_index, state.num_processes, sharded)


def whole(tensor: Tensor) -> Tensor:
    """A tensor without a graph; the whole of one that is spread over processes."""
    found: Tensor = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return found.detach().contiguous()


def spread_like(target: Tensor, value: Tensor) -> Tensor:
    """A whole tensor spread over processes as another one of its shape is."""
    if isinstance(target, DTensor) and value.shape == target.shape:
        return distribute_tensor(value.to(target.device), target.device_mesh, target.placements)
    return value


def put(target: Tensor, value: Tensor) -> None:
    """Copy a whole tensor into one that may be spread over processes."""
    target.copy_(spread_like(target, value))


def clip_gradients(parameters: Sequence[nn.Parameter], longest: float) -> float:
    """Scale gradients down to a joint length of at most `longest`, spread or not.

    Returns the length that they had.
    """
    found = [p for p in parameters if p.grad is not None]
    spread = [p for p in found if isinstance(p, DTensor)]
    local = [p for p in found if not isinstance(p, DTensor)]
    if not spread:
        return float(nn.utils.clip_grad_norm_(local, longest))
    norms = [
        whole(nn.utils.get_total_norm([p.grad for p in group if p.grad is not None]))
        for group in (spread, local)
        if group
    ]
    total = torch.stack(norms).norm()
    for group in (spread, local):
        nn.utils.clip_grads_with_norm_(group, longest, total)
    return float(total)
