"""The losses RankNet and InfoNCE."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def ranknet(scores: Tensor, grades: Tensor, *, by_rank: bool = False) -> Tensor:
    """Return RankNet's loss of one list (Burges et al., ICML 2005, section 3), a scalar.

    The loss is the mean logistic loss over pairs of different grades. It is zero, with a gradient,
    if all grades are equal.

    scores: (passages,). grades: (passages,) any ordered numbers. by_rank: weigh the pair with ranks
    i and j in the graded order by 1 / (i + j) (Gangi Reddy et al., EMNLP 2024, section 3.2).
    """
    better = grades.unsqueeze(1) > grades.unsqueeze(0)
    if not better.any():
        return scores.sum() * 0.0
    margins = scores.unsqueeze(1) - scores.unsqueeze(0)
    losses = nn.functional.softplus(-margins)
    if by_rank:
        ranks = torch.argsort(torch.argsort(grades, descending=True, stable=True)) + 1
        losses = losses / (ranks.unsqueeze(1) + ranks.unsqueeze(0))
    return losses[better].mean()


def info_nce(queries: Tensor, passages: Tensor, positive: Tensor, temperature: float) -> Tensor:
    """Return the mean InfoNCE loss per query, a scalar (van den Oord et al., 2018, equation 4).

    A query may have several positives; the denominator of one excludes the others. A query without
    a positive does not count.

    queries: (queries, width) and passages: (passages, width), of unit length. positive: (queries,
    passages) bool.
    """
    # bfloat16 is too coarse for logits of up to 20.
    with torch.autocast(queries.device.type, enabled=False):
        logits = queries.float() @ passages.float().T / temperature
    positive = positive.to(logits.device)
    lowest = torch.finfo(logits.dtype).min
    negatives = logits.masked_fill(positive, lowest).logsumexp(dim=1, keepdim=True)
    terms = torch.logaddexp(logits, negatives) - logits
    counts = positive.sum(dim=1)
    rows = (terms * positive).sum(dim=1)[counts > 0] / counts[counts > 0]
    return rows.mean() if len(rows) else logits.sum() * 0.0
