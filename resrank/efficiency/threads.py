"""The number of processor threads that a measurement may use."""

from __future__ import annotations

import os


def limit_threads(wanted: int | None) -> int:
    """Set torch's thread count and return it.

    If `wanted` is None it is what the job was given (OMP_NUM_THREADS, as Snakemake sets it), else
    all cores.
    """
    import torch

    count = wanted or int(os.environ.get("OMP_NUM_THREADS", 0)) or os.cpu_count() or 1
    torch.set_num_threads(count)
    return count
