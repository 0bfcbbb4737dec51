"""Training losses, each over one query's list."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def ranknet(scores: Tensor, grades: Tensor, *, by_rank: bool = False) -> Tensor:
    """RankNet (Burges et al., ICML 2005): mean logistic loss over pairs of different grade.

    scores: (n,), grades: (n,) any ordered numbers. by_rank: weigh the pair of the passages of ranks
    i and j in the graded order by 1 / (i + j) (Gangi Reddy et al., EMNLP 2024, section 3.2).
    Zero, with a gradient, if no pair differs.
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
    """InfoNCE (van den Oord et al., 2018) with several positives allowed.

    queries: (q, d) and passages: (p, d) of unit length; positive: (q, p) bool. A query's other
    positives are left out of its denominator. Rows without a positive count nothing.
    """
    with torch.autocast(queries.device.type, enabled=False):  # 20 x a bfloat16 step is too coarse
        logits = queries.float() @ passages.float().T / temperature
    positive = positive.to(logits.device)
    lowest = torch.finfo(logits.dtype).min
    negatives = logits.masked_fill(positive, lowest).logsumexp(dim=1, keepdim=True)
    terms = torch.logaddexp(logits, negatives) - logits
    counts = positive.sum(dim=1)
    rows = (terms * positive).sum(dim=1)[counts > 0] / counts[counts > 0]
    return rows.mean() if len(rows) else logits.sum() * 0.0
