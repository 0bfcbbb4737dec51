"""Agreement of two rankings of the same candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def mean_tau(one: Sequence[Sequence[str]], other: Sequence[Sequence[str]]) -> float:
    """Return Kendall's tau between two orders of each query's candidates, mean over queries.

    one, other: passage ids per query, best first. 1: the same order; 0: no relation; -1: reversed.
    Lists of fewer than two passages have no tau and are left out; 1 if no list is left. Computed by
    scipy.
    """
    from scipy.stats import kendalltau

    values = []
    for first, second in zip(one, other, strict=True):
        place = {passage_id: rank for rank, passage_id in enumerate(second)}
        if len(first) > 1:
            ranks = [place[passage_id] for passage_id in first]
            values.append(float(kendalltau(range(len(first)), ranks).statistic))
    return float(np.mean(values)) if values else 1.0
