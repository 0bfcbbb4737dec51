"""Peak memory of a block of work, on the host and on the device."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

PROCESS = Path("/proc/self")


def release_freed_memory() -> None:
    """Return memory that was freed, as by loading a model, to the system, where glibc keeps it.

    Kept memory would count for the next peak. Call this before a warm-up, because new pages are
    slow at first use.
    """
    # Only glibc has this function.
    trim = None if sys.platform == "win32" else getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def reset_peaks() -> dict[str, int | None]:
    """Reset the peaks, and return what is held now: {"host_bytes", "device_bytes"}.

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
    """Return the peaks since `reset_peaks`, beside what that returned; None where unmeasured.

    host_peak_bytes: the process's resident set: interpreter, libraries, weights on the processor,
    and pages of stored embeddings that were read. device_peak_bytes: torch's allocations on the
    first device.
    """
    torch = _torch()
    return {
        "host_peak_bytes": None if before["host_bytes"] is None else _status("VmHWM"),
        "host_before_bytes": before["host_bytes"],
        "device_peak_bytes": torch.cuda.max_memory_allocated() if torch else None,
        "device_before_bytes": before["device_bytes"],
    }


def device_name() -> str | None:
    """Return the name of the first device, or None if torch does not use it."""
    torch = _torch()
    return None if torch is None else str(torch.cuda.get_device_name())


def _status(name: str) -> int | None:
    """Return a field of the process's status, in bytes."""
    for line in (PROCESS / "status").read_text("utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


def _torch() -> Any:
    """Return torch if it uses a device, else None."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return torch
    return None
