"""Peak memory and energy of a block of work."""

import mmap
import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from resrank.efficiency import memory
from resrank.efficiency.energy import measured_joules

MEGABYTE = 1_000_000


def take(size: int) -> None:
    """Hold so many bytes for a moment, in new pages that no earlier test left."""
    with mmap.mmap(-1, size) as held:
        for page in range(0, size, mmap.PAGESIZE):
            held[page] = 1


@pytest.mark.skipif(not (memory.PROCESS / "clear_refs").exists(), reason="only Linux reports it")
def test_a_peak_covers_the_block_alone():
    take(200 * MEGABYTE)
    before = memory.reset_peaks()
    low = memory.peaks(before)["host_peak_bytes"]
    take(100 * MEGABYTE)
    peaks = memory.peaks(before)
    assert low - peaks["host_before_bytes"] < 50 * MEGABYTE
    assert peaks["host_peak_bytes"] - peaks["host_before_bytes"] > 90 * MEGABYTE


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc can be set to keep memory"
)
def test_memory_freed_before_counts_for_no_peak():
    """Run in a separate process that keeps what it frees, as the DAG's jobs do."""
    script = (
        "import numpy, resrank.efficiency.memory as memory\n"
        "held = [numpy.ones(12_500_000) for _ in range(3)]\n"
        "last = numpy.ones(10)\n"
        "del held\n"
        "for step in (lambda: None, memory.release_freed_memory):\n"
        "    step()\n"
        "    print(memory.reset_peaks()['host_bytes'])\n"
    )
    kept = {f"MALLOC_{name}_THRESHOLD_": str(2**30) for name in ("MMAP", "TRIM")}
    output = subprocess.check_output(
        [sys.executable, "-c", script], env=os.environ | kept, text=True
    )
    before, after = map(int, output.split())
    assert before > 300 * MEGABYTE
    assert after < before - 250 * MEGABYTE


def test_a_peak_is_none_where_the_system_reports_none(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "PROCESS", tmp_path / "absent")
    assert memory.peaks(memory.reset_peaks())["host_peak_bytes"] is None


def test_energy_is_counted_or_none():
    with measured_joules() as joules:
        sum(range(1000))
    assert joules.keys() == {"cpu", "memory", "gpu"}
    assert all(value is None or value >= 0 for value in joules.values())


def test_without_the_tracker_nothing_is_estimated(monkeypatch):
    monkeypatch.setitem(sys.modules, "tirex_tracker", None)
    with measured_joules() as joules:
        pass
    assert set(joules.values()) == {None}


def test_a_counter_is_read(monkeypatch):
    """The fake tracker answers as the library does on a machine with some counters."""
    names = ["CPU_ENERGY_SYSTEM_JOULES", "RAM_ENERGY_SYSTEM_JOULES", "GPU_ENERGY_SYSTEM_JOULES"]

    class Tracking(dict):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            readings = [b"12.5", b"null", b"3"]
            self.update({n: SimpleNamespace(value=v) for n, v in zip(names, readings, strict=True)})

    fake = SimpleNamespace(Measure={n: n for n in names}, tracking=lambda measures: Tracking())
    monkeypatch.setitem(sys.modules, "tirex_tracker", fake)
    with measured_joules() as joules:
        pass
    assert joules == {"cpu": 12.5, "memory": None, "gpu": 3.0}
