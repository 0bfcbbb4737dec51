"""Floating-point operations of a forward pass, from the model's shape alone.

Matrix products are counted as torch's FlopCounterMode counts them, a multiplication and an addition
as two operations: projections, feed-forward nets, the head, and attention's two products. A causal
model's attention counts in full, its masked half included, because common kernels compute it.

Norms, softmax, activations, rotations, look-ups, and a projector or a cosine after the model are
not counted; they are under 1% for these models. Padding is not counted, because it belongs to a
batch and not to a method.
"""

from __future__ import annotations

from resrank.model.shapes import Architecture, Stack
from resrank.work import Work


def flops(shape: Architecture, work: Work) -> float:
    """Return the floating-point operations of one model's work."""
    if work.sequences <= 0:
        return 0.0
    length, steps = work.tokens / work.sequences, work.steps / work.sequences
    head = 2.0 * shape.stack.hidden * shape.vocabulary * work.logits
    pooler = 2.0 * shape.stack.hidden**2 * work.sequences if shape.pooler else 0.0
    if shape.decoder is None:
        each = _read(shape.stack, length) + _write(shape.stack, length, steps)
        return work.sequences * each + head + pooler
    each = _read(shape.stack, length) + _written_over(shape.decoder, length, 1 + steps)
    return work.sequences * each + head


def cache_bytes(shape: Architecture, work: Work, number_bytes: int = 2) -> float:
    """Return the bytes of keys and values of one sequence at its longest; 0 if none is written."""
    if not work.steps:
        return 0.0
    stack = shape.decoder or shape.stack
    length = (work.tokens + work.steps) / work.sequences
    return 2 * number_bytes * stack.layers * stack.kv_heads * stack.head_dim * length


def _read(stack: Stack, length: float) -> float:
    """Return the FLOPs to read one sequence in one pass: each position attends to each."""
    return stack.layers * (2 * stack.weights * length + 4 * stack.inner * length**2)


def _write(stack: Stack, length: float, steps: float) -> float:
    """Return the FLOPs of steps after a sequence; the first attends to `length` + 1 positions."""
    keys = steps * length + steps * (steps + 1) / 2
    return stack.layers * (2 * stack.weights * steps + 4 * stack.inner * keys)


def _written_over(stack: Stack, length: float, steps: float) -> float:
    """Return the FLOPs of an encoder-decoder's answer, with cross-attention over the input."""
    over = 4 * stack.hidden * stack.inner * length + 4 * stack.inner * length * steps
    return _write(stack, 0, steps) + stack.layers * over
