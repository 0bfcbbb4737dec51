"""Energy from the machine's counters, RAPL's and NVML's, which TIREx Tracker reads.

Nothing is estimated. A figure is None without a counter, the right to read it, or the package (the
extra `energy`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

PARTS = {
    "cpu": "CPU_ENERGY_SYSTEM_JOULES",
    "memory": "RAM_ENERGY_SYSTEM_JOULES",
    "gpu": "GPU_ENERGY_SYSTEM_JOULES",
}
"""Part of the machine -> TIREx Tracker's name of its counter."""


@contextmanager
def measured_joules() -> Iterator[dict[str, float | None]]:
    """Yield the joules of the whole machine by part, filled in when the block has ended."""
    joules: dict[str, float | None] = dict.fromkeys(PARTS)
    try:
        import tirex_tracker
    except ModuleNotFoundError:
        yield joules
        return
    counters = {part: tirex_tracker.Measure[name] for part, name in PARTS.items()}
    with tirex_tracker.tracking(measures=list(counters.values())) as results:
        yield joules
    joules.update({part: _number(results[counter].value) for part, counter in counters.items()})


def _number(reading: bytes | str | float) -> float | None:
    """Return a counter's reading; the tracker answers null where there is no counter."""
    try:
        return float(reading)
    except ValueError:
        return None
