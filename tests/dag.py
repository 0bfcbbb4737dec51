"""Run the DAG from a copy of the project's sources, so that tests may edit and kill it."""

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
"""Columns of times, memory and energy, which differ between runs."""


def copy_project(folder: Path, suite: dict[str, Any]) -> Path:
    """Copy the sources that a DAG needs, and write `suite.yaml` beside them."""
    for name in ("resrank", "baselines", "workflow", "config", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "environment.yml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    return folder


def command(*words: str, suite: str = "suite.yaml") -> list[str]:
    return [sys.executable, "-m", "snakemake", "--cores", "2", *words, "--configfile", suite]


def snakemake(
    folder: Path,
    *words: str,
    suite: str = "suite.yaml",
    forks: bool = True,
    hash_seed: int = 1,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake to its end. Its jobs are forks of a process that has imported torch.

    Without `forks` each job is a new process, as it is outside of tests. Tests that limit, count
    or time processes need that.

    hash_seed: PYTHONHASHSEED of the forks. Tests that compare two runs give the second one another
    seed, since a result that depends on the order of a set would else be the same in both.
    """
    words = tuple(command(*words, suite=suite))
    if forks:
        words = ("python", *words[1:])
    return subprocess.run(
        words,
        cwd=folder,
        env=(with_forks(hash_seed) if forks else ENVIRONMENT) | environment,
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


def with_forks(hash_seed: int = 1) -> dict[str, str]:
    """Return an environment in which `python -m` is a fork of a process that has imported torch.

    Where forks are unsafe, it is a new process.
    """
    server = fork_server(hash_seed)
    return ENVIRONMENT | ({"PATH": f"{server}:{ENVIRONMENT['PATH']}"} if server else {})


@cache
def fork_server(hash_seed: int = 1) -> str | None:
    """Return the folder of a `python` that runs modules in forks; None where forks are unsafe.

    hash_seed: PYTHONHASHSEED of the server, hence of every fork.

    CUDA cannot be used in a fork of a process that has touched it.
    """
    if sys.platform != "linux" or any(Path("/dev").glob("nvidia[0-9]*")):
        return None
    folder = tempfile.TemporaryDirectory(prefix="forks")
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.fork_server", folder.name], cwd=ROOT,
        env=ENVIRONMENT | {"PYTHONHASHSEED": str(hash_seed)},
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
    """Return the rule of each job that Snakemake started, sorted."""
    return sorted(re.findall(r"^(?:local)?rule (\w+):", done.stderr, re.M))


def contents(results: Path) -> dict[str, bytes]:
    """Return a suite's runs, scores and tables by path, without what is measured."""
    files = [*results.glob("runs/**/*.trec"), *results.glob("scores/**/*.parquet")]
    result = {path: path.read_bytes() for path in files}
    for path in results.glob("tables/*.csv"):
        table = pd.read_csv(path)
        if path.name == "pareto.csv":  # fronts of times differ between runs
            table = table[~table["of"].str.contains("latency")].reset_index(drop=True)
        kept = [column for column in table if not re.search(MEASURED, column)]
        result[path] = table[kept].to_csv().encode()
    return {path.relative_to(results).as_posix(): data for path, data in result.items()}
