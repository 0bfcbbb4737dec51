"""The Pareto front: systems that no other one beats in both effectiveness and cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

MODES = ("online", "cached")
"""Passages encoded within the query, or their embeddings taken from an index."""


class CostAxis(NamedTuple):
    """A cost: its columns in the comparison by mode, and its label."""

    online: str
    cached: str
    label: str


LATENCY = CostAxis("p50_ms_online", "p50_ms_cached", "median latency of a query (ms)")
TOKENS = CostAxis("tokens_per_passage_online", "tokens_per_passage_cached", "tokens per passage")


def on_front(costs: Sequence[float], scores: Sequence[float]) -> list[bool]:
    """Return which points no other point beats: at most its cost, at least its score, one better.

    A point without a cost or a score is not on the front and beats none.
    """
    x, y = np.asarray(costs, float), np.asarray(scores, float)
    no_worse = (x[:, None] <= x) & (y[:, None] >= y)
    better = (x[:, None] < x) | (y[:, None] > y)
    beaten = (no_worse & better).any(axis=0)
    return [bool(value) for value in ~beaten & np.isfinite(x) & np.isfinite(y)]


def front(rows: pd.DataFrame, metric: str, cost: CostAxis, mode: str) -> pd.DataFrame:
    """Return a candidate set's rows on the front in one mode, cheapest first, with `cost`.

    rows: of the comparison. In the mode `cached`, a system without embeddings has its one cost.
    """
    costs = rows[cost.online].astype(float)
    if mode == "cached":
        costs = rows[cost.cached].astype(float).where(rows["caches_passages"].astype(bool), costs)
        costs = costs.fillna(rows[cost.online].astype(float))
    kept = on_front(costs.tolist(), rows[metric].astype(float).tolist())
    return rows.assign(cost=costs)[kept].sort_values("cost", kind="stable")
