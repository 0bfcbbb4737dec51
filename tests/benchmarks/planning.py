"""Snakemake's overhead on suites of small models: `python -m tests.benchmarks.planning`.

Plans are dry runs of the rules over collections, first stages, systems and seeds. The overhead per
job is the time of a real run on one core minus the time of its jobs' commands, divided by the
number of jobs. It includes a share of planning and of Snakemake's start. Each run is a separate
process, whose wall-clock time, processor time and peak memory are printed. On a busy machine,
processor time is the reliable one.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import write_beir
from tests.dag import ENVIRONMENT, copy_project

TINY = {"encoder": {"dtype": "float32"}, "reranker": {"layers": 1, "heads": 2}}
SIZES = {
    "10 collections x 10 systems x 3 seeds": (10, 1, 10),
    "10 collections x 2 first stages x 11 systems x 3 seeds": (10, 2, 11),
}
SEEDS = [1, 2, 3]


class Finished(NamedTuple):
    """A finished process: its wall-clock and processor seconds, peak memory and output."""

    clock_s: float
    processor_s: float
    peak_gb: float
    output: str


def suite(collections: int, stages: int, systems: int) -> dict[str, Any]:
    """Return a suite of trained systems over copies of one small collection."""
    names = {"collections": [f"c{n}" for n in range(collections)],
             "first_stages": [f"f{n}" for n in range(stages)],
             "systems": [f"s{n}" for n in range(systems)]}  # fmt: skip
    system = {"kind": "resrank", "options": TINY, "training": {}, "trained_on": "c0",
              "trained_with": "f0"}  # fmt: skip
    kinds = {"collections": {"kind": "beir", "path": "data"}, "first_stages": {"kind": "bm25"},
             "systems": system}  # fmt: skip
    define = {what: dict.fromkeys(listed, kinds[what]) for what, listed in names.items()}
    return {"name": "plan", "seeds": SEEDS, "define": define} | names


def project(folder: Path, suite: dict[str, Any]) -> Path:
    """Make a project with this suite and a small collection; return its folder."""
    write_beir(copy_project(folder, suite) / "data")
    return folder


def snakemake(folder: Path, *words: str, path: str = "") -> Finished:
    """Run Snakemake over a project on one core; the folder `path` is first in its PATH."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *words, "--configfile", "suite.yaml"]  # fmt: skip
    env = ENVIRONMENT | {"PATH": f"{path}:{ENVIRONMENT['PATH']}"}
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=out, stderr=out)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        out.seek(0)
        output = out.read()
    if status != 0:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{output[-2000:]}")
    return Finished(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20, output)


def plan(suite: dict[str, Any]) -> tuple[int, Finished]:
    """Return the number of a suite's jobs, and the process that planned them."""
    with tempfile.TemporaryDirectory() as folder:
        finished = snakemake(project(Path(folder), suite), "-n", "--quiet", "rules", "all")
    total = next(line for line in finished.output.splitlines() if line.startswith("total"))
    return int(total.split()[1]), finished


def overhead() -> tuple[int, float, float]:
    """Run a small suite; return its number of jobs and the seconds of the run and of its commands.

    A script in python's place records how long each command takes.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = project(Path(folder) / "project", suite(2, 1, 1) | {"seeds": [1]})
        times, script = root / "times", root / "bin" / "python"
        script.parent.mkdir()
        script.write_text(
            f'#!/bin/bash\nstart=$EPOCHREALTIME\n{shlex.quote(sys.executable)} "$@"\nstatus=$?\n'
            f"echo $start $EPOCHREALTIME >> {shlex.quote(str(times))}\nexit $status\n"
        )
        script.chmod(0o755)
        finished = snakemake(root, "--quiet", "all", "all", path=str(script.parent))
        rows = [line.split() for line in times.read_text().splitlines()]
    return len(rows), finished.clock_s, sum(float(end) - float(start) for start, end in rows)


def main() -> None:
    print("| suite | jobs | planned in, s | processor, s | peak, GB |\n| :-- | --: | --: | --: | --: |")  # fmt: skip
    for name, size in SIZES.items():
        jobs, finished = plan(suite(*size))
        print(f"| {name} | {jobs:,} | {finished.clock_s:.1f} | {finished.processor_s:.1f} | {finished.peak_gb:.2f} |")  # fmt: skip
    jobs, whole, commands = overhead()
    load = os.getloadavg()[0]
    print(f"\n{jobs} jobs, one at a time: {whole:.1f} s, including {commands:.1f} s in their commands; "
          f"{(whole - commands) / jobs:.2f} s of overhead per job. Load average: {load:.1f}.")  # fmt: skip


if __name__ == "__main__":
    main()
