"""What the tests and the intervals share: how many resamples there are, and of what statistic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
RESAMPLES = 9_999
NOISE = 1e-9  # values closer than this differ only by rounding
CELLS = 4_000_000  # numbers held at once while resampling: 32 MB


def mean_over(values: Values, axis: int) -> Values:
    """Return the mean along an axis: the statistic that is resampled."""
    return np.asarray(values.mean(axis=axis))


def batch_size(values: Values) -> int:
    """Return how many resamples of these values are held in memory at once."""
    return max(1, CELLS // max(1, values.size))
