"""Running the DAG from a copy of the project's sources, so that tests may edit and kill it."""

import os
import re
import shutil
import subprocess
import sys
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
    folder: Path, *words: str, suite: str = "suite.yaml", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words, suite=suite), cwd=folder, env=ENVIRONMENT | environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def rules_run(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The rule of each job that a run of Snakemake started, in the alphabet's order."""
    return sorted(re.findall(r"^(?:local)?rule (\w+):", done.stderr, re.M))


def contents(results: Path) -> dict[str, bytes]:
    """Runs, scores and tables of a suite's results by path, without what was measured."""
    files = [*results.glob("runs/**/*.trec"), *results.glob("scores/**/*.parquet")]
    found = {path: path.read_bytes() for path in files}
    for path in results.glob("tables/*.csv"):
        table = pd.read_csv(path)
        kept = [column for column in table if not re.search(MEASURED, column)]
        found[path] = table[kept].to_csv().encode()
    return {path.relative_to(results).as_posix(): data for path, data in found.items()}
