"""Measures of the decoder's states in a training step, for the training log.

They show whether the residual has an effect at all, and how much of a state's length says nothing
about its text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from resrank.model.options import Residual
from resrank.model.residual import ListStates, residual_sum

RATIO, PASSAGES, CLOSING = "residual_ratio", "common_passages", "common_closing"
SMALLEST_RATIO = 0.1
"""Below this, a residual changes next to no ranking."""


@torch.no_grad()
def state_measures(
    states: Sequence[ListStates],
    residual: Residual,
    weight: float,
    add_up: Callable[[Tensor], Tensor],
) -> dict[str, float]:
    """Return the measures of the lists of one batch.

    The mean ratio of the residual's summands over all passages, and the common part of the states
    of passages and of the closing states. add_up: sums a tensor over the processes of a run.
    """
    passages = torch.cat([listed.passages.float() for listed in states])
    closing = torch.cat([listed.closing.float() for listed in states])
    ratios = torch.cat(
        [residual_sum(s.passages, s.embeddings, residual, weight).ratios for s in states]
    )
    total = add_up(torch.stack([ratios.sum(), ratios.new_tensor(float(len(ratios)))]))
    return {
        RATIO: float(total[0] / total[1].clamp(min=1)),
        PASSAGES: common_part(add_up(vector_sums(passages))),
        CLOSING: common_part(add_up(vector_sums(closing))),
    }


def vector_sums(vectors: Tensor) -> Tensor:
    """Return the sum of vectors (n, width), then of their lengths and squares, then n."""
    lengths = vectors.norm(dim=-1)
    rest = torch.stack(
        [lengths.sum(), lengths.square().sum(), lengths.new_tensor(float(len(lengths)))]
    )
    return torch.cat([vectors.sum(dim=0), rest])


def common_part(sums: Tensor) -> float:
    """Return the length of the vectors' mean, relative to their mean length, from `vector_sums`.

    1: all vectors are equal; 0: nothing is common. The squared length of the mean is estimated from
    pairs of different vectors, so that a small batch gives no larger values than a big one. One
    vector alone gives 1.
    """
    total = sums[:-3]
    length, squares, count = map(float, sums[-3:])
    if count < 2 or not length:
        return 1.0
    pairs = float(total.square().sum()) - squares
    mean = math.sqrt(max(0.0, pairs / (count * (count - 1))))
    return min(1.0, mean * count / length)
