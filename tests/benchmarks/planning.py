"""What Snakemake takes for itself, on suites of small models: `python -m tests.benchmarks.planning`.

Plans are dry runs of the rules over collections, first stages, systems and seeds. A job's overhead
is what a real run on one core takes beyond the commands of its jobs, from its start to the job's
end; planning and its own start are shared by all jobs. Each run is a process of its own, whose
wall-clock time, processor time and peak memory are printed; on a busy machine the second tells.
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


class Taken(NamedTuple):
    """What a process took: seconds by the clock, of the processor, and memory at its peak."""

    clock_s: float
    processor_s: float
    peak_gb: float
    said: str


def suite(collections: int, stages: int, systems: int) -> dict[str, Any]:
    """Trained systems over copies of one small collection."""
    names = {"collections": [f"c{n}" for n in range(collections)],
             "first_stages": [f"f{n}" for n in range(stages)],
             "systems": [f"s{n}" for n in range(systems)]}  # fmt: skip
    system = {"kind": "resrank", "options": TINY, "training": {}, "trained_on": "c0",
              "trained_with": "f0"}  # fmt: skip
    kinds = {"collections": {"kind": "beir", "path": "data"}, "first_stages": {"kind": "bm25"},
             "systems": system}  # fmt: skip
    define = {what: dict.fromkeys(listed, kinds[what]) for what, listed in names.items()}
    return {"name": "plan", "seeds": SEEDS, "define": define} | names


def project(folder: Path, of: dict[str, Any]) -> Path:
    write_beir(copy_project(folder, of) / "data")
    return folder


def snakemake(folder: Path, *words: str, path: str = "") -> Taken:
    """A run of Snakemake over a project on one core; programs are looked for in `path` first."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *words, "--configfile", "suite.yaml"]  # fmt: skip
    env = ENVIRONMENT | {"PATH": f"{path}:{ENVIRONMENT['PATH']}"}
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=out, stderr=out)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        out.seek(0)
        said = out.read()
    if status != 0:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{said[-2000:]}")
    return Taken(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20, said)


def plan(of: dict[str, Any]) -> tuple[int, Taken]:
    """Jobs of a suite, and what planning them takes."""
    with tempfile.TemporaryDirectory() as folder:
        taken = snakemake(project(Path(folder), of), "-n", "--quiet", "rules", "all")
    total = next(line for line in taken.said.splitlines() if line.startswith("total"))
    return int(total.split()[1]), taken


def overhead() -> tuple[int, float, float]:
    """Jobs of a small suite that is run, seconds of the run, seconds of their commands.

    A script in python's place notes how long each command takes.
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
        taken = snakemake(root, "--quiet", "all", "all", path=str(script.parent))
        rows = [line.split() for line in times.read_text().splitlines()]
    return len(rows), taken.clock_s, sum(float(end) - float(start) for start, end in rows)


def main() -> None:
    print("| suite | jobs | planned in, s | of the processor, s | peak, GB |\n| :-- | --: | --: | --: | --: |")  # fmt: skip
    for name, size in SIZES.items():
        jobs, taken = plan(suite(*size))
        print(f"| {name} | {jobs:,} | {taken.clock_s:.1f} | {taken.processor_s:.1f} | {taken.peak_gb:.2f} |")  # fmt: skip
    jobs, whole, commands = overhead()
    load = os.getloadavg()[0]
    print(f"\n{jobs} jobs, one at a time: {whole:.1f} s, of them {commands:.1f} s in their commands; "
          f"{(whole - commands) / jobs:.2f} s a job beyond them. Load average: {load:.1f}.")  # fmt: skip


if __name__ == "__main__":
    main()
