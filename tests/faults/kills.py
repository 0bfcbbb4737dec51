"""Kill a random process of a suite's DAG at a random time, many times.

`python -m tests.faults.kills --runs 50` prints a line a run: what was killed, when, and whether the
DAG, started again at once, ended with the same runs, scores and tables as an undisturbed one.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from tests.conftest import write_beir
from tests.dag import ENVIRONMENT, command, contents, copy_project, snakemake

PLAIN: dict[str, Any] = {
    "name": "smoke", "collections": ["mine"], "first_stages": ["bm25"], "systems": ["bm25"],
    "baseline": "bm25", "measure": {"queries": 2, "warmup": 1},
    "define": {"collections": {"mine": {"kind": "beir", "path": "data"}}},
}  # fmt: skip
"""The shortest DAG that has tables."""

TINY = {
    "kind": "resrank", "training": {}, "threads": 1,
    "options": {"encoder": {"dtype": "float32"}, "reranker": {"layers": 1, "heads": 2}},
}  # fmt: skip
SMOKE = PLAIN | {
    "systems": ["bm25", "tiny"], "seeds": [1], "untrained": False,
    "define": PLAIN["define"] | {"systems": {"tiny": TINY}},
}  # fmt: skip
"""With embeddings, a training and its model."""


class Killed(NamedTuple):
    """What was killed, and which share of the results was there. The name is empty if all had ended."""

    name: str
    share: float


class Undisturbed:
    """A project whose suite was built without a disturbance. Later builds are compared with it."""

    def __init__(self, folder: Path, suite: dict[str, Any]) -> None:
        self.folder = copy_project(folder, suite)
        self.results = folder / "results" / suite["name"]
        write_beir(folder / "data")
        build(self.folder)
        self.files = self.written()
        self.wanted = contents(self.results)

    def written(self) -> int:
        """Return the number of files in the results."""
        return sum(len(files) for _, _, files in os.walk(self.results))  # some go meanwhile

    def killed(self, seed: int) -> Killed:
        """Build, kill a process, build again at once. Raises AssertionError if the results differ."""
        for name in ("results", ".snakemake"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        rng = random.Random(seed)
        dag = subprocess.Popen(
            command("all"), cwd=self.folder, env=ENVIRONMENT, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        share = rng.uniform(0, 0.8)  # of the files: a time that does not depend on the machine
        while self.written() < share * self.files and dag.poll() is None:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 3))
        killed = kill_one(psutil.Process(dag.pid), rng)
        dag.wait()
        snakemake(self.folder, "--unlock")
        build(self.folder, "--rerun-incomplete", hash_seed=2)
        assert contents(self.results) == self.wanted, f"seed {seed}: another outcome"
        return Killed(killed, share)


def build(folder: Path, *words: str, hash_seed: int = 1) -> None:
    """Run the DAG to its end. Raises AssertionError with its output if it fails."""
    done = snakemake(folder, *words, "all", hash_seed=hash_seed)
    assert done.returncode == 0, done.stdout + done.stderr


def kill_one(dag: psutil.Process, rng: random.Random) -> str:
    """Kill Snakemake or one of the processes below it; return which, "" if there is none."""
    try:
        chosen = rng.choice([dag, *dag.children(recursive=True)])
        words = chosen.cmdline()
        chosen.kill()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""
    if words[1:3] == ["-m", "resrank"]:
        return f"`{' '.join(words[3:5])}`"
    if words[1:3] == ["-m", "snakemake"]:
        return "Snakemake"
    return f"a job's {Path(words[0]).name}" if words else "a process"


def main() -> None:
    """Run it `--runs` times from `--seed` on; exit status 1 if any run came to another outcome."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the first run")
    given = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        peace = Undisturbed(Path(folder), SMOKE)
        for seed in range(given.seed, given.seed + given.runs):
            try:
                name, share = peace.killed(seed)
                print(f"{seed}: {name or 'nothing'} at {share:.0%}: the same", flush=True)
            except AssertionError as error:
                failed += 1
                print(f"{seed}: {str(error)[-2000:]}", flush=True)
    print(f"{given.runs} runs, {failed} came to another outcome")
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
