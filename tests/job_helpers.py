"""Helpers that start single jobs of a small suite in a temporary folder."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from resrank.candidates.freeze import freeze
from resrank.io.collection import Collection
from tests.conftest import ROOT, write_beir
from tests.dag import fork_server
from tests.entries import parse_collection, parse_first_stage

PAIR = ("--collection", "mine", "--first-stage", "bm25")
RESULTS = Path("results/s")
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def write_suite(folder: Path, systems: dict[str, Any], **more: Any) -> Path:
    """Write a suite over a small folder in BEIR layout; nothing of it is made yet."""
    if not (folder / "beir").exists():
        write_beir(folder / "beir")
    define = {"collections": {"mine": {"kind": "beir", "path": "beir"}}, "systems": systems}
    suite = {"name": "s", "collections": ["mine"], "systems": list(systems), "define": define}
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite | more))
    return folder


def with_candidates(folder: Path, systems: dict[str, Any], **more: Any) -> Path:
    """The same, with its collection and its candidates."""
    write_suite(folder, systems, **more)
    collection = folder / RESULTS / "collections" / "mine"
    parse_collection({"kind": "beir", "path": str(folder / "beir")}).collect(collection)
    lists = folder / RESULTS / "candidates" / "mine" / "bm25.parquet"
    freeze(Collection(collection), parse_first_stage({"kind": "bm25"}), lists)
    return folder


def command(name: str, *words: object) -> list[str]:
    """The command of a job of the suite in the working directory."""
    job = [sys.executable, "-m", "resrank", "job", name, "--suite", "suite.yaml"]
    return [*job, *map(str, words)]


def run_job(folder: Path, name: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a job to its end, as a fork of a process that has imported torch."""
    python = f"{server}/python" if (server := fork_server()) else sys.executable
    return subprocess.run(
        [python, *command(name, *words)[1:]], cwd=folder, env=ENVIRONMENT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
