"""Halve a batch that does not fit in memory, and count the halvings.

The last bits of a number may depend on the batch, so each job's manifest states how many batches
were halved. Neither torch nor accelerate is imported before memory runs out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TypeVar

Member = TypeVar("Member")
HalfResult = TypeVar("HalfResult")


class NoMemory(ValueError):
    """A batch that does not fit in memory and cannot be split. The message says what to do."""


class Halvings:
    """Counts the batches that this process has halved since the object was made."""

    _all = 0
    _lock = Lock()  # batches run in threads

    def __init__(self) -> None:
        self._before = Halvings._all

    @property
    def batches(self) -> int:
        """Return the number of halved batches so far."""
        return Halvings._all - self._before

    @classmethod
    def add(cls) -> None:
        """Count one batch."""
        with cls._lock:
            cls._all += 1


def in_halves(
    function: Callable[[Sequence[Member]], HalfResult], batch: Sequence[Member]
) -> list[HalfResult]:
    """Return the results of `function` on the batch, or in order on its parts that fit.

    Raises NoMemory if a single item does not fit, or if several processes run in step: a process
    with an extra step would wait for the others forever.
    """
    try:
        return [function(batch)]
    except RuntimeError as error:
        if not _out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0]
    # Not within `except`: the error's traceback keeps the memory of the failed try.
    if len(batch) == 1 or _in_step():
        raise NoMemory(
            f"a batch of {len(batch)} does not fit in memory ({reason}); lower `batch_tokens`, "
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
