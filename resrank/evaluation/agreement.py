"""How alike two rankings of the same candidates are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Orders = Sequence[Sequence[str]]
"""Passage ids, best first, of each query."""


def mean_tau(one: Orders, other: Orders) -> float:
    """Kendall's tau between two orders of each query's candidates, by scipy, mean over queries.

    1: the same order; 0: no relation; -1: reversed. Lists of fewer than two have none and are
    left out; 1 if no list is left.
    """
    from scipy.stats import kendalltau

    values = []
    for first, second in zip(one, other, strict=True):
        place = {passage_id: rank for rank, passage_id in enumerate(second)}
        if len(first) > 1:
            ranks = [place[passage_id] for passage_id in first]
            values.append(float(kendalltau(range(len(first)), ranks).statistic))
    return float(np.mean(values)) if values else 1.0
