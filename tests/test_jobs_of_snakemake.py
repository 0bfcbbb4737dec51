"""The commands that Snakemake gives its jobs, and the suite that these read."""

import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import write_beir
from tests.dag import copy_project, snakemake

MODEL = "my model (v2)"
SUITE = {
    "name": "s",
    "collections": ["mine"],
    "systems": ["bi"],
    "define": {
        "collections": {"mine": {"kind": "beir", "path": "data"}},
        "systems": {"bi": {"kind": "bi_encoder", "options": {"model": f"models/{MODEL}"}}},
    },
}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("project"), SUITE)
    write_beir(folder / "data")
    return folder


@pytest.mark.parametrize("shards", [1, 2])
def test_a_models_name_is_quoted_for_the_shell(project, shards):
    done = snakemake(project, "-n", "-p", "all", "--config", f"shards={shards}")
    assert done.returncode == 0, done.stdout + done.stderr
    commands = re.findall(r"(python -m resrank job encode .*)", done.stdout + done.stderr)
    assert len(commands) == (1 if shards == 1 else shards + 1)
    for command in commands:
        words = shlex.split(command)
        assert re.fullmatch(
            rf"{re.escape(MODEL)}-[0-9a-f]{{8}}", words[words.index("--encoder") + 1]
        )


def test_a_job_without_the_workflows_file_says_why_it_is_missing(project):
    collected = "results/s/collections/mine/manifest.json"
    done = snakemake(project, "--no-hooks", collected)
    assert done.returncode != 0
    log = "".join(path.read_text() for path in project.glob("results/s/logs/**/*.txt"))
    log += "".join(path.read_text() for path in project.glob("results/s/logs/**/*.log"))
    assert "no results/s/suite.yaml" in log
    assert "not with --no-hooks" in log
    assert snakemake(project, collected).returncode == 0
