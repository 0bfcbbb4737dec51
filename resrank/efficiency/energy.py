"""Energy that the machine's own counters saw: RAPL's and NVML's, read by TIREx Tracker.

Nothing is estimated: without a counter, the right to read it, or the package (the extra `energy`),
a figure is None.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

PARTS = {"cpu": "CPU_ENERGY_SYSTEM_JOULES", "memory": "RAM_ENERGY_SYSTEM_JOULES",
         "gpu": "GPU_ENERGY_SYSTEM_JOULES"}  # fmt: skip


@contextmanager
def counted() -> Iterator[dict[str, float | None]]:
    """Joules of the whole machine during the block, by part; filled in once it has ended."""
    joules: dict[str, float | None] = dict.fromkeys(PARTS)
    try:
        import tirex_tracker
    except ModuleNotFoundError:
        yield joules
        return
    measures = {part: tirex_tracker.Measure[name] for part, name in PARTS.items()}
    with tirex_tracker.tracking(measures=list(measures.values())) as found:
        yield joules
    joules.update({part: _number(found[measure].value) for part, measure in measures.items()})


def _number(said: bytes | str | float) -> float | None:
    """A counter's reading; the tracker says null where there is no counter."""
    try:
        return float(said)
    except ValueError:
        return None
