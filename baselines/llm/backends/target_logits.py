"""Logits of a few tokens in float32, whatever number format a model's weights have.

In bfloat16 many pairs of a query get equal logits, and the first stage would order them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

SHORT = (torch.bfloat16, torch.float16)
"""Number formats in which logits are computed anew."""


@contextmanager
def only_targets(model: Any, tokens: Sequence[int]) -> Iterator[list[int]]:
    """Let a model's head compute the logits of some tokens alone, in float32, within the block.

    Yields where these tokens are among the logits. A model in float32 stays as it is, and has them
    at their ids. What a model does to its logits after the head, such as capping them, it still
    does.
    """
    head = model.get_output_embeddings()
    if head.weight.dtype not in SHORT:
        yield list(tokens)
        return

    def in_float32(module: Any, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        bias = None if module.bias is None else module.bias[list(tokens)].float()
        return functional.linear(inputs[0].float(), module.weight[list(tokens)].float(), bias)

    handle = head.register_forward_hook(in_float32)
    try:
        yield list(range(len(tokens)))
    finally:
        handle.remove()
