"""A batch that memory does not hold is done in halves, and counted.

A number may differ in its last bits from that of the whole batch, so each job's manifest states
how many batches were halved. Neither torch nor accelerate is imported before memory has run out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TypeVar

Member = TypeVar("Member")
HalfResult = TypeVar("HalfResult")


class NoMemory(ValueError):
    """What is too large for memory by itself, or may not be split; says what to do."""


class Halvings:
    """Counts the batches of this process that were halved since this was made."""

    _all = 0
    _lock = Lock()  # batches run in threads

    def __init__(self) -> None:
        self._before = Halvings._all

    @property
    def batches(self) -> int:
        """How many, up to now."""
        return Halvings._all - self._before

    @classmethod
    def add(cls) -> None:
        """One more."""
        with cls._lock:
            cls._all += 1


def in_halves(
    function: Callable[[Sequence[Member]], HalfResult], batch: Sequence[Member]
) -> list[HalfResult]:
    """Results of `function` on the batch: one, or in order those of the parts that fit.

    Raises NoMemory if a single item does not fit, or if several processes work in step: one that
    takes a step more than the others would wait for them for ever.
    """
    try:
        return [function(batch)]
    except RuntimeError as error:
        if not _out_of_memory(error):
            raise
        said = str(error).partition("\n")[0]
    # Not within `except`: the error's traceback holds what the failed try had allocated.
    if len(batch) == 1 or _in_step():
        raise NoMemory(
            f"a batch of {len(batch)} does not fit in memory ({said}); lower `batch_tokens`, "
            "`max_tokens` or the window, or take a machine with more"
        )
    _free()
    Halvings.add()
    half = len(batch) // 2
    return in_halves(function, batch[:half]) + in_halves(function, batch[half:])


def _out_of_memory(error: RuntimeError) -> bool:
    from accelerate.utils.memory import should_reduce_batch_size

    return bool(should_reduce_batch_size(error))


def _in_step() -> bool:
    distributed = sys.modules["torch"].distributed
    return bool(distributed.is_available() and distributed.is_initialized())


def _free() -> None:
    from accelerate.utils.memory import clear_device_cache

    clear_device_cache(garbage_collection=True)
