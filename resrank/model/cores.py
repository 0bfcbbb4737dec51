"""One batch a processor core, in place of one operation spread over all cores.

Small models leave cores idle between the many short operations of a batch; batches that run beside
each other do not (`tests/benchmarks/test_encoding.py` compares the two). A batch's numbers do not
change: each is computed by one thread, whatever else runs.
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

    On the processor as many batches run at once as torch has threads, each on one thread; on any
    other device, and where processes must run in step, they run in turn.
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
