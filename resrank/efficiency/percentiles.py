"""Percentiles of latencies, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

POINTS = (50, 95, 99)
RESAMPLES = 2000


def summarise(samples_ms: Sequence[float]) -> dict[str, Any]:
    """The samples in milliseconds, their percentiles (linear interpolation) and intervals.

    An interval is the 95% percentile bootstrap over queries (Efron, 1979), seeded; of one sample
    there is none. A percentile beyond what the sample holds, the 99th of 20, is near its largest.
    """
    samples = np.asarray(samples_ms, dtype=np.float64)
    found: dict[str, Any] = {"samples_ms": list(samples_ms)}
    values = np.percentile(samples, POINTS)
    for point, value, interval in zip(POINTS, values, _intervals(samples), strict=True):
        found[f"p{point}_ms"] = float(value)
        found[f"p{point}_interval_ms"] = interval
    return found


def _intervals(samples: np.ndarray[Any, np.dtype[np.float64]]) -> list[list[float] | None]:
    if len(samples) < 2:
        return [None] * len(POINTS)
    drawn = np.random.default_rng(0).choice(samples, (RESAMPLES, len(samples)))
    bounds = np.percentile(np.percentile(drawn, POINTS, axis=1), [2.5, 97.5], axis=1)
    return [[float(low), float(high)] for low, high in bounds.T]
