"""The number of processor threads that a measurement may use."""

from __future__ import annotations

import os


def limit_threads(wanted: int | None) -> int:
    """Set torch's thread count (all cores if `wanted` is None) and return it."""
    import torch

    count = wanted or os.cpu_count() or 1
    torch.set_num_threads(count)
    return count
