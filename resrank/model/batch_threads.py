"""Run one batch per processor core instead of one operation on all cores.

Small models leave cores idle between the many short operations of a batch. Batches that run side by
side do not (`tests/benchmarks/test_encoding.py` compares the two). The numbers do not depend on it:
one thread computes each batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Batch = TypeVar("Batch")
BatchResult = TypeVar("BatchResult")


def _in_step() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def map_batches(
    function: Callable[[Batch], BatchResult], batches: Iterable[Batch], device: torch.device
) -> Iterator[BatchResult]:
    """Yield `function(batch)` in the order of the batches.

    On the processor, as many batches run at once as torch has threads, each on one thread. On other
    devices, and where processes run in step, they run one after the other.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or _in_step():
        yield from map(function, batches)
        return
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(function, batches)
    finally:
        torch.set_num_threads(threads)
