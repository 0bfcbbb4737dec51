"""The most memory that a stretch of work held, on the host and on the device."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

PROCESS = Path("/proc/self")


def give_back() -> None:
    """Give memory that was freed, as by loading a model, back to the system, where glibc keeps it.

    It would count for the next peak. For before a warm-up: pages are slow to be had anew.
    """
    # Only glibc has this function.
    trim = None if sys.platform == "win32" else getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def reset_peaks() -> dict[str, int | None]:
    """Forget earlier peaks; returns what is held now: {"host_bytes", "device_bytes"}.

    Linux forgets a process's peak resident set when 5 is written to its clear_refs (proc(5)).
    """
    torch = _torch()
    if torch is not None:
        torch.cuda.reset_peak_memory_stats()
    try:
        (PROCESS / "clear_refs").write_text("5")
        held = _status("VmRSS")
    except OSError:
        held = None
    return {"host_bytes": held, "device_bytes": torch.cuda.memory_allocated() if torch else None}


def peaks(before: dict[str, int | None]) -> dict[str, Any]:
    """Peaks since `reset_peaks`, beside what it returned; None where nothing measures them.

    host_peak_bytes: the process's resident set: interpreter, libraries, weights on the processor,
    pages of stored embeddings that were touched. device_peak_bytes: what torch had allocated on
    the first device.
    """
    torch = _torch()
    return {
        "host_peak_bytes": None if before["host_bytes"] is None else _status("VmHWM"),
        "host_before_bytes": before["host_bytes"],
        "device_peak_bytes": torch.cuda.max_memory_allocated() if torch else None,
        "device_before_bytes": before["device_bytes"],
    }


def device_name() -> str | None:
    """The first device, if torch is using it."""
    torch = _torch()
    return None if torch is None else str(torch.cuda.get_device_name())


def _status(name: str) -> int | None:
    """A line of the process's status, in bytes."""
    for line in (PROCESS / "status").read_text("utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


def _torch() -> Any:
    """Torch, if it is using a device."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return torch
    return None
