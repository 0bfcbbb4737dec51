"""What a forward pass costs in floating-point operations, from the model's shape alone.

Counted are matrix products, a multiplication and an addition as two, as torch's FlopCounterMode
counts them: projections, feed-forward nets, the head, and attention's two products. Not counted:
norms, softmax, activations, rotations, look-ups, a projector or a cosine behind the model (under
1% of the models meant here), and padding, which belongs to a batch and not to a method. A causal
model's attention is counted in full, masked half included, since common kernels' counts are.
"""

from __future__ import annotations

from resrank.model.architectures import Architecture, Stack
from resrank.work import Work


def flops(shape: Architecture, work: Work) -> float:
    """Floating-point operations of one model's work."""
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
    """Keys and values of one sequence at its longest, where tokens are written behind it."""
    if not work.steps:
        return 0.0
    stack = shape.decoder or shape.stack
    length = (work.tokens + work.steps) / work.sequences
    return 2 * number_bytes * stack.layers * stack.kv_heads * stack.head_dim * length


def _read(stack: Stack, length: float) -> float:
    """One sequence in one pass: each position attends to each."""
    return stack.layers * (2 * stack.weights * length + 4 * stack.inner * length**2)


def _write(stack: Stack, length: float, steps: float) -> float:
    """Steps behind a sequence; the first attends to `length` + 1 positions, the next to more."""
    keys = steps * length + steps * (steps + 1) / 2
    return stack.layers * (2 * stack.weights * steps + 4 * stack.inner * keys)


def _written_over(stack: Stack, length: float, steps: float) -> float:
    """An encoder-decoder's answer: its steps, and the encoder's states as keys and values."""
    over = 4 * stack.hidden * stack.inner * length + 4 * stack.inner * length * steps
    return _write(stack, 0, steps) + stack.layers * over
