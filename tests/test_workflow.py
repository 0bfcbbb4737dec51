"""The DAG itself, through Snakemake, on a small folder in BEIR layout."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from resrank.trec import read_run
from tests.conftest import ROOT, write_beir

TINY = {"encoder": {"dtype": "float32"}, "reranker": {"layers": 1, "heads": 2}}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project's sources with a small suite beside it."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("resrank", "baselines", "workflow", "config", "profiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "environment.yml"):
        shutil.copy(ROOT / name, folder / name)
    write_beir(folder / "data")
    suite = {
        "name": "small",
        "collections": ["mine"],
        "systems": ["bm25", "bi", "tiny"],
        "seeds": [1, 2],
        "measure": {"queries": 2, "warmup": 1},
        "define": {
            "collections": {"mine": {"kind": "beir", "path": "data"}},
            "systems": {
                "bi": {"kind": "bi_encoder", "options": {"dtype": "float32"}},
                "tiny": {"kind": "resrank", "options": TINY, "training": {"epochs": 1}},
            },
        },
    }
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    return folder


def snakemake(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--cores",
        "2",
        *words,
        "--configfile",
        "suite.yaml",
    ]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def contents(folder: Path) -> dict[str, bytes]:
    runs = sorted((folder / "results" / "small").glob("runs/**/*.trec"))
    scores = folder / "results" / "small" / "scores" / "mine" / "bm25.parquet"
    return {str(p): p.read_bytes() for p in [*runs, scores]}


@pytest.fixture(scope="module")
def built(project) -> Path:
    done = snakemake(project, "all")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def test_everything_is_there(built):
    root = built / "results" / "small"
    table = pd.read_csv(root / "tables" / "comparison.csv")
    assert table["system"].tolist() == ["bm25", "bi", "tiny"]
    assert table["seeds"].tolist() == [1, 1, 2]
    assert table["queries"].tolist() == [2, 2, 2]
    for name in ("tables/comparison.md", "tables/comparison.tex", "tables/leak.md",
                 "figures/effectiveness_latency.png", "figures/effectiveness_tokens.svg"):  # fmt: skip
        assert (root / name).stat().st_size > 0
    audits = json.loads((root / "audits" / "mine" / "bm25.json").read_text())
    leak = next(s["leak"] for s in audits["systems"] if s["system"] == "tiny")
    assert leak["overlap"] == pytest.approx(1 / 3)  # p5 of p1, p5, p4
    for ranked in read_run(root / "runs/mine/bm25/tiny/seed1.trec").values():
        scores = [score for _, score in ranked]
        assert all(a > b for a, b in zip(scores[:-1], scores[1:], strict=True))


def test_a_second_run_does_nothing(built):
    assert "Nothing to be done" in (snakemake(built, "all").stderr)


def test_editing_a_system_reruns_it_and_what_depends_on_it_alone(built):
    source = built / "baselines" / "bi_encoder.py"
    source.write_text(source.read_text() + "\n# edited\n")
    said = snakemake(built, "-n", "all")
    jobs = {x.split()[0]: int(x.split()[1]) for x in said.stdout.splitlines()
            if re.fullmatch(r"\w+ +\d+", x)}  # fmt: skip
    assert jobs == {"rerank": 1, "measure": 1, "score": 1, "report": 1, "all": 1, "total": 5}


def test_two_runs_and_a_killed_one_agree(built):
    first = contents(built)
    shutil.rmtree(built / "results")
    shutil.rmtree(built / ".snakemake")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", "all", "--configfile", "suite.yaml"],
        cwd=built, env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    time.sleep(14)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    snakemake(built, "--unlock")
    done = snakemake(built, "--rerun-incomplete", "all")
    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(built) == first


def test_a_wrong_suite_stops_before_anything_runs(project):
    suite = yaml.safe_load((project / "suite.yaml").read_text())
    (project / "wrong.yaml").write_text(yaml.safe_dump(suite | {"systems": ["bm52"]}))
    command = [sys.executable, "-m", "snakemake", "-n", "all", "--configfile", "wrong.yaml"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "unknown system 'bm52'; known: " in done.stderr
