"""Versions, hardware and revision: what results depend on besides the configuration."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "resrank", "torch", "transformers", "sentence-transformers", "tokenizers", "numpy", "scipy",
    "pandas", "pyarrow", "bm25s", "PyStemmer", "ir_measures", "snakemake",
)  # fmt: skip


@cache
def environment() -> dict[str, Any]:
    """Return versions, hardware and revision, for manifests."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES if _version(name)},
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.system()},
        "git_revision": _git_revision(),
    }


@cache
def processor() -> str:
    """Return the processor's name from the operating system."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    root = Path(__file__).resolve().parents[2]
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
