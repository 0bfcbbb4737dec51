"""The DAG through a scheduler's commands: the Slurm profile's resources with another executor."""

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
from tests.dag import command, contents, copy_project, snakemake, with_forks
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
    """Wait for the first job that is submitted and return the number of its process."""
    while not (request := books / "0.request").exists():
        assert sender.poll() is None, "the run ended before it submitted a job"
        time.sleep(0.05)
    return int(request.read_text().split()[-1])


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Run a suite here and through the queue, whose first job is killed; return the results of
    both and the queue's folder.

    The queue runs a Snakemake per job; what that starts is a fork.
    """
    alone, through = (copy_project(tmp_path_factory.mktemp(x), PLAIN) for x in ("here", "queue"))
    for folder in (alone, through):
        write_beir(folder / "data")
    books = through / "books"
    books.mkdir()
    done = snakemake(alone, "all")
    assert done.returncode == 0, done.stdout + done.stderr
    run = subprocess.Popen(
        command(*THROUGH, "all"), cwd=through, env=with_forks() | {"QUEUE_BOOKS": str(books)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    os.killpg(first_job(books, run), signal.SIGKILL)
    output, _ = run.communicate(timeout=900)
    assert run.returncode == 0, output[-5000:]
    name = PLAIN["name"]
    return contents(alone / "results" / name), contents(through / "results" / name), books


def test_the_queue_gives_the_same_results_as_one_machine(both):
    expected, results, _ = both
    assert {path.partition("/")[0] for path in expected} == {"runs", "scores", "tables"}
    assert results == expected


def test_jobs_request_the_resources_of_the_profile(both):
    books = both[2]
    requests = {int(path.stem): path.read_text().split() for path in books.glob("*.request")}
    assert requests[0][:2] == ["cpu:0", "8000"]
    assert any(queue == "gpu:1" and memory == "32000" for queue, memory, _, _ in requests.values())


def test_a_killed_job_is_submitted_again_with_more_memory(both):
    books = both[2]
    assert not (books / "0.ended").exists()
    assert ["cpu:0", "16000"] in [path.read_text().split()[:2] for path in books.glob("*.request")]
