"""One GPU per job on a machine with several."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

VISIBLE = "CUDA_VISIBLE_DEVICES"
DEVICES = Path("/dev")  # a container sees only its GPUs there; torch would take seconds to count
_held: list[FileLock] = []


def take_gpu() -> None:
    """Make the first GPU that no other job of this user holds the only one visible here.

    The process holds it until it ends, for whatever reason. Call this before torch is imported.
    Nothing happens with fewer than two GPUs, under a launcher, which assigns GPUs itself, and where
    every GPU is held: then the first one serves two jobs, as it would without this function.
    """
    gpus = _gpus()
    if len(gpus) < 2 or "LOCAL_RANK" in os.environ:
        return
    for gpu in gpus:
        name = f"resrank-gpu-{os.getuid()}-{gpu.replace('/', '-')}.lock"
        lock = FileLock(Path(tempfile.gettempdir()) / name)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        _held.append(lock)
        os.environ[VISIBLE] = gpu
        return


def _gpus() -> list[str]:
    """Return the GPUs that this process may see, as the variable names them."""
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        return [gpu.strip() for gpu in visible.split(",") if gpu.strip()]
    return [str(number) for number in range(len(list(DEVICES.glob("nvidia[0-9]*"))))]
