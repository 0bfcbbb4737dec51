"""Running the DAG from a copy of the project's sources, so that tests may edit and kill it."""

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from tests.conftest import ROOT

ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


MEASURED = r"_ms(_|$)|per_second|_mb$|joules"
"""Columns of times, memory and energy, which no two runs have alike."""


def copy_project(folder: Path, suite: dict[str, Any]) -> Path:
    """The sources that a DAG needs, with `suite.yaml` beside them."""
    for name in ("resrank", "baselines", "workflow", "config", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "environment.yml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    return folder


def command(*words: str, suite: str = "suite.yaml") -> list[str]:
    return [sys.executable, "-m", "snakemake", "--cores", "2", *words, "--configfile", suite]


def snakemake(
    folder: Path, *words: str, suite: str = "suite.yaml", forks: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake to its end; its jobs are forks of a process that has imported torch.

    Without `forks` each job is a process of its own, as outside of tests: for what limits, counts
    or times processes.
    """
    words = tuple(command(*words, suite=suite))
    if forks and (server := fork_server()):
        words = ("python", *words[1:])
        environment = {"PATH": f"{server}:{ENVIRONMENT['PATH']}"} | environment
    return subprocess.run(
        words,
        cwd=folder,
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def resrank(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m resrank` from the project's root."""
    server = fork_server()
    return subprocess.run(
        [f"{server}/python" if server else sys.executable, "-m", "resrank", *map(str, words)],
        cwd=ROOT, env=ENVIRONMENT | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@cache
def fork_server() -> str | None:
    """The folder of a `python` that starts `-m resrank` as a fork; None where forks are unsafe.

    CUDA cannot be used in a fork of a process that has touched it.
    """
    if sys.platform != "linux" or any(Path("/dev").glob("nvidia[0-9]*")):
        return None
    folder = tempfile.TemporaryDirectory(prefix="forks")
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.fork_server", folder.name], cwd=ROOT, env=ENVIRONMENT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdin is not None
    assert server.stdout is not None
    atexit.register(folder.cleanup)
    atexit.register(server.wait)
    atexit.register(server.stdin.close)
    assert server.stdout.readline() == "ready\n"
    return f"{folder.name}/bin"


def rules_run(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The rule of each job that a run of Snakemake started, in the alphabet's order."""
    return sorted(re.findall(r"^(?:local)?rule (\w+):", done.stderr, re.M))


def contents(results: Path) -> dict[str, bytes]:
    """Runs, scores and tables of a suite's results by path, without what was measured."""
    files = [*results.glob("runs/**/*.trec"), *results.glob("scores/**/*.parquet")]
    result = {path: path.read_bytes() for path in files}
    for path in results.glob("tables/*.csv"):
        table = pd.read_csv(path)
        kept = [column for column in table if not re.search(MEASURED, column)]
        result[path] = table[kept].to_csv().encode()
    return {path.relative_to(results).as_posix(): data for path, data in result.items()}
