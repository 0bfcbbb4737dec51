"""Percentiles of latencies, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from resrank.evaluation.bootstrap import percentile_intervals

POINTS = (50, 95, 99)
RESAMPLES = 2000


def summarise(samples_ms: Sequence[float]) -> dict[str, Any]:
    """Return the samples in milliseconds, their percentiles (linear interpolation) and intervals.

    An interval is the 95% percentile bootstrap over queries (Efron, 1979), with a fixed seed; None
    for a single sample. A percentile that the sample is too small for, such as the 99th of 20, lies
    near the sample's maximum.
    """
    samples = np.asarray(samples_ms, dtype=np.float64)
    summary: dict[str, Any] = {"samples_ms": list(samples_ms)}
    values = np.percentile(samples, POINTS)
    intervals: list[list[float] | None] = [None] * len(POINTS)
    if len(samples) > 1:
        intervals = percentile_intervals(samples, POINTS, RESAMPLES).tolist()
    for point, value, interval in zip(POINTS, values, intervals, strict=True):
        summary[f"p{point}_ms"] = float(value)
        summary[f"p{point}_interval_ms"] = interval
    return summary
