"""The number of processor threads that a measurement may use."""

from __future__ import annotations

import os
import sys


def limit_threads(wanted: int | None) -> int:
    """Set torch's thread count, now or for a later import, and return it.

    If `wanted` is None, the count is the job's (OMP_NUM_THREADS, as Snakemake sets it), else the
    number of cores.
    """
    count = wanted or int(os.environ.get("OMP_NUM_THREADS", 0)) or os.cpu_count() or 1
    torch = sys.modules.get("torch")
    if torch is None:  # BM25 needs no torch, and importing it takes seconds.
        os.environ["OMP_NUM_THREADS"] = str(count)
    else:
        torch.set_num_threads(count)
    return count
