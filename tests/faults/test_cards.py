"""Each job on a machine with several cards sees one of its own; the cards here are named only."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

JOB = """
import os
from resrank.jobs.gpu_lock import VISIBLE, take_card
take_card()
print(os.environ.get(VISIBLE), flush=True)
input()
"""


@pytest.fixture
def job(tmp_path):
    """Starts a job that keeps its card; returns what it sees and what ends it."""
    running = []

    def start(**environment):
        process = subprocess.Popen(
            [sys.executable, "-c", JOB], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)} | environment,
        )  # fmt: skip
        running.append(process)
        return process.stdout.readline().strip(), process

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_jobs_side_by_side_have_a_card_each(job):
    two = {"CUDA_VISIBLE_DEVICES": "0,GPU-7f"}
    first, process = job(**two)
    assert first == "0"
    assert job(**two)[0] == "GPU-7f"
    assert job(**two)[0] == "0,GPU-7f"  # none is free: as before
    process.kill()
    process.wait()
    assert job(**two)[0] == "0"


@pytest.mark.parametrize(
    ("environment", "seen"),
    [
        ({"CUDA_VISIBLE_DEVICES": "3"}, "3"),
        ({"CUDA_VISIBLE_DEVICES": ""}, ""),
        ({"CUDA_VISIBLE_DEVICES": "0,1", "LOCAL_RANK": "1"}, "0,1"),
    ],
)
def test_one_card_none_and_a_launcher_are_left_alone(job, environment, seen):
    assert job(**environment)[0] == seen
