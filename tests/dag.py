"""Running the DAG from a copy of the project's sources, so that tests may edit and kill it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

ENVIRONMENT = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


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
