"""Tensors that may be sharded over processes: gather, spread, copy and clip them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor detached from its graph; a sharded one is gathered."""
    gathered: Tensor = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    return gathered.detach().contiguous()


def spread_like(target: Tensor, value: Tensor) -> Tensor:
    """Shard a whole tensor like a target of the same shape; return it as it is otherwise."""
    if isinstance(target, DTensor) and value.shape == target.shape:
        return distribute_tensor(value.to(target.device), target.device_mesh, target.placements)
    return value


def put(target: Tensor, value: Tensor) -> None:
    """Copy a whole tensor into a target that may be sharded."""
    target.copy_(spread_like(target, value))


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy weights into a model's parameters of the same names."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


def clip_gradients(parameters: Sequence[nn.Parameter], longest: float) -> float:
    """Scale gradients down to a joint Euclidean norm of at most `longest`, sharded or not.

    Returns the norm before scaling.
    """
    trained = [p for p in parameters if p.grad is not None]
    sharded = [p for p in trained if isinstance(p, DTensor)]
    local = [p for p in trained if not isinstance(p, DTensor)]
    if not sharded:
        return float(nn.utils.clip_grad_norm_(local, longest))
    norms = [
        whole(nn.utils.get_total_norm([p.grad for p in group if p.grad is not None]))
        for group in (sharded, local)
        if group
    ]
    total = torch.stack(norms).norm()
    for group in (sharded, local):
        nn.utils.clip_grads_with_norm_(group, longest, total)
    return float(total)
