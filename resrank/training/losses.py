"""Training losses, each over one query's list."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def ranknet(scores: Tensor, grades: Tensor) -> Tensor:
    """RankNet (Burges et al., ICML 2005): mean logistic loss over pairs of different grade.

    scores: (n,), grades: (n,) any ordered numbers. Zero, with a gradient, if no pair differs.
    """
    better = grades.unsqueeze(1) > grades.unsqueeze(0)
    margins = scores.unsqueeze(1) - scores.unsqueeze(0)
    if not better.any():
        return scores.sum() * 0.0
    return nn.functional.softplus(-margins[better]).mean()


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
