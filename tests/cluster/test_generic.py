"""The DAG through any scheduler's own commands: the Slurm profile's numbers, another executor."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cluster import queue_of_one
from tests.conftest import write_beir
from tests.dag import ENVIRONMENT, command, contents, copy_project, snakemake
from tests.faults.kills import PLAIN

PLUGINS = ("slurm", "cluster_generic")
MISSING = [name for name in PLUGINS if find_spec(f"snakemake_executor_plugin_{name}") is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason="no executor plugins: pip install -e '.[slurm,generic]'"
)
QUEUE = f"{sys.executable} {queue_of_one.__file__}"
THROUGH = ["--workflow-profile", "profiles/slurm", "--executor", "cluster-generic",
           "--cluster-generic-submit-cmd",
           f"{QUEUE} submit {{resources.slurm_partition}}:{{resources.gpu}} {{resources.mem_mb}} {{threads}}",
           "--cluster-generic-status-cmd", f"{QUEUE} status",
           "--seconds-between-status-checks", "1", "--latency-wait", "5"]  # fmt: skip


def first_job(books: Path, sender: subprocess.Popen) -> int:
    """The process of the first job that was sent, as soon as it is."""
    while not (asked := books / "0.asked").exists():
        assert sender.poll() is None, "the run ended before a job was sent"
        time.sleep(0.05)
    return int(asked.read_text().split()[-1])


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The results of a suite here and through the queue, whose first job is killed; its books."""
    alone, through = (copy_project(tmp_path_factory.mktemp(x), PLAIN) for x in ("here", "queue"))
    for folder in (alone, through):
        write_beir(folder / "data")
    books = through / "books"
    books.mkdir()
    done = snakemake(alone, "all")
    assert done.returncode == 0, done.stdout + done.stderr
    sent = subprocess.Popen(
        command(*THROUGH, "all"), cwd=through, env=ENVIRONMENT | {"QUEUE_BOOKS": str(books)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    os.killpg(first_job(books, sent), signal.SIGKILL)
    said, _ = sent.communicate(timeout=400)
    assert sent.returncode == 0, said[-5000:]
    name = PLAIN["name"]
    return contents(alone / "results" / name), contents(through / "results" / name), books


def test_the_results_are_those_of_one_machine(both):
    expected, found, _ = both
    assert {path.partition("/")[0] for path in expected} == {"runs", "scores", "tables"}
    assert found == expected


def test_jobs_ask_for_what_the_profile_says(both):
    books = both[2]
    asked = {int(path.stem): path.read_text().split() for path in books.glob("*.asked")}
    assert asked[0][:2] == ["cpu:0", "8000"]
    assert any(queue == "gpu:1" and memory == "32000" for queue, memory, _, _ in asked.values())


def test_a_killed_job_is_sent_again_with_more_memory(both):
    books = both[2]
    assert not (books / "0.ended").exists()
    assert ["cpu:0", "16000"] in [path.read_text().split()[:2] for path in books.glob("*.asked")]
