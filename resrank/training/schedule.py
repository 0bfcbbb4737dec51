"""Learning-rate schedules as factors of the peak rate."""

from __future__ import annotations

from collections.abc import Callable


def linear(steps: int, warmup: float, floor: float = 0.1) -> Callable[[int], float]:
    """Return the factor of the peak rate by step, counted from 0.

    The factor rises linearly over the first `warmup` share of the steps, then falls linearly to
    `floor`.
    """
    rise = max(1, int(steps * warmup))

    def factor(step: int) -> float:
        fall = 1 - (step - rise) / max(1, steps - rise)
        return min((step + 1) / rise, max(floor, fall))

    return factor
