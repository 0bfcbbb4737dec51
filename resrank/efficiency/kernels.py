"""The kernels that a measurement runs on: torch's defaults, for every system alike."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

WORKSPACE = ":4096:8"


def fix_workspace() -> None:
    """Give cuBLAS the workspace that training asks for; it is read once, at its first use."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", WORKSPACE)


@contextmanager
def default_kernels() -> Iterator[None]:
    """Turn deterministic kernels off in the block, and on again after it if they were on.

    Systems that make random weights turn them on when they are loaded, others do not. Deterministic
    kernels can be slower, so a comparison of times needs one setting.
    """
    torch = sys.modules.get("torch")
    if torch is None:  # BM25 needs no torch, and importing it takes seconds.
        yield
        return
    was_on = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_on, warn_only=warns)
