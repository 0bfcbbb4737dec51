"""The number of processor threads that a measurement may use."""

from __future__ import annotations

import os
import sys


def limit_threads(wanted: int | None) -> int:
    """Set torch's thread count, now or for when a system loads it, and return it.

    If `wanted` is None it is what the job was given (OMP_NUM_THREADS, as Snakemake sets it), else
    all cores.
    """
    count = wanted or int(os.environ.get("OMP_NUM_THREADS", 0)) or os.cpu_count() or 1
    torch = sys.modules.get("torch")
    if torch is None:  # BM25 needs none, and importing it takes seconds
        os.environ["OMP_NUM_THREADS"] = str(count)
    else:
        torch.set_num_threads(count)
    return count
