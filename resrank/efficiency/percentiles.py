"""Percentiles of latencies, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from resrank.evaluation.bootstrap import percentile_intervals

POINTS = (50, 95, 99)
RESAMPLES = 2000
LEAST_SAMPLES = {50: 1, 95: 20, 99: 100}
"""Fewest samples from which a percentile can be told: one of them lies beyond it."""


def supported(point: int, samples: int) -> bool:
    """Return whether so many samples can support a percentile."""
    return samples >= LEAST_SAMPLES[point]


def summarise(samples_ms: Sequence[float]) -> dict[str, Any]:
    """Return the samples in milliseconds, their percentiles (linear interpolation) and intervals.

    An interval is the 95% percentile bootstrap over queries (Efron, 1979), with a fixed seed; None
    for a single sample. A percentile that the sample cannot support (`supported`) is None, and its
    interval too.
    """
    samples = np.asarray(samples_ms, dtype=np.float64)
    summary: dict[str, Any] = {"samples_ms": list(samples_ms)}
    values = np.percentile(samples, POINTS)
    intervals: list[list[float] | None] = [None] * len(POINTS)
    if len(samples) > 1:
        intervals = percentile_intervals(samples, POINTS, RESAMPLES).tolist()
    for point, value, interval in zip(POINTS, values, intervals, strict=True):
        enough = supported(point, len(samples))
        summary[f"p{point}_ms"] = float(value) if enough else None
        summary[f"p{point}_interval_ms"] = interval if enough else None
    return summary
