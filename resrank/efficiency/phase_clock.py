"""Splits a call's time into phases: each stretch goes to the innermost phase, so that the parts of
a call add up to the whole of it."""

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
        """Time the block; its parts, in milliseconds, stand in what is yielded once it has ended.

        The device is waited for at both ends and wherever a phase changes.
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
        """What follows is this phase's."""
        self._charge()
        self._open.append(phase)

    def end(self) -> None:
        """What follows is again the phase's that was interrupted."""
        self._charge()
        self._open.pop()

    def _charge(self) -> None:
        """Count the time since the last change to the phase that is open."""
        self._wait()
        now = self.clock()
        self._spent[self._open[-1]] += now - self._since
        self._since = now


def device_wait() -> Callable[[], None]:
    """What waits for the device, if one is in use: a kernel launch returns before its work is done.

    Looked up once a call, since a mark that asked for it each time would take as long as a clock.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        wait: Callable[[], None] = torch.cuda.synchronize
        return wait
    return lambda: None
