"""A clock that splits a call's time into phases.

Time counts for the innermost phase, so that the parts of a call add up to the whole call.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from resrank.phases import PhaseName, listening

Clock = Callable[[], int]
Part = PhaseName | Literal["overhead"]
PARTS: tuple[Part, ...] = (*get_args(PhaseName), "overhead")


class PhaseClock:
    """Listens to phases with a monotonic clock, in nanoseconds."""

    def __init__(self, clock: Clock = time.perf_counter_ns) -> None:
        self.clock = clock

    @contextmanager
    def call(self) -> Iterator[dict[Part, float]]:
        """Time the block, and yield its parts in milliseconds, filled in when it has ended.

        The clock waits for the device at both ends and wherever a phase changes.
        """
        self._spent = dict.fromkeys(PARTS, 0)
        self._open: list[Part] = ["overhead"]
        parts: dict[Part, float] = {}
        self._wait = device_wait()
        self._wait()
        self._since = self.clock()
        with listening(self):
            yield parts
        self._charge()
        parts.update((name, spent / 1e6) for name, spent in self._spent.items())

    def begin(self, phase: PhaseName) -> None:
        """Count time for this phase from now on."""
        self._charge()
        self._open.append(phase)

    def end(self) -> None:
        """Count time for the interrupted phase again."""
        self._charge()
        self._open.pop()

    def _charge(self) -> None:
        """Add the time since the last change to the innermost open phase."""
        self._wait()
        now = self.clock()
        self._spent[self._open[-1]] += now - self._since
        self._since = now


def device_wait() -> Callable[[], None]:
    """Return a function that waits for the device, if one is in use.

    A kernel launch returns before its work is done. The function is looked up once per call,
    because a look-up at every change of phase would take as long as reading a clock.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        wait: Callable[[], None] = torch.cuda.synchronize
        return wait
    return lambda: None
