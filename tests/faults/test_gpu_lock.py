"""Each job on a machine with several GPUs sees one of them; the GPUs here are only names."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

JOB = """
import os
from resrank.jobs.gpu_lock import VISIBLE, take_gpu
take_gpu()
print(os.environ.get(VISIBLE), flush=True)
input()
"""


@pytest.fixture
def job(tmp_path):
    """Start a job that keeps its GPU; return what it sees and its process."""
    running = []

    def start(**environment):
        process = subprocess.Popen(
            [sys.executable, "-c", JOB],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)} | environment,
        )
        running.append(process)
        return process.stdout.readline().strip(), process

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_jobs_side_by_side_have_one_gpu_each(job):
    two = {"CUDA_VISIBLE_DEVICES": "0,GPU-7f"}
    first, process = job(**two)
    assert first == "0"
    assert job(**two)[0] == "GPU-7f"
    assert job(**two)[0] == "0,GPU-7f"  # both are held, so nothing changes
    process.kill()
    process.wait()
    assert job(**two)[0] == "0"


@pytest.mark.parametrize(
    ("environment", "visible"),
    [
        ({"CUDA_VISIBLE_DEVICES": "3"}, "3"),
        ({"CUDA_VISIBLE_DEVICES": ""}, ""),
        ({"CUDA_VISIBLE_DEVICES": "0,1", "LOCAL_RANK": "1"}, "0,1"),
    ],
)
def test_one_gpu_no_gpu_and_a_launcher_change_nothing(job, environment, visible):
    assert job(**environment)[0] == visible
