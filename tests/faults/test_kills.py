"""Processes that are killed: the DAG's end is that of an undisturbed run, and nothing runs on."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from resrank.jobs.parent_process import VARIABLE
from tests.conftest import ROOT
from tests.dag import command, snakemake, with_forks
from tests.faults.kills import PLAIN, Undisturbed


@pytest.fixture(scope="module")
def peace(tmp_path_factory) -> Undisturbed:
    return Undisturbed(tmp_path_factory.mktemp("kills"), PLAIN)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_process_changes_nothing(peace, seed):
    assert peace.killed(seed).name


def test_two_runs_on_one_folder(peace):
    """The second one is refused by name, and the first goes on."""
    (peace.folder / "results/smoke/report.manifest.json").unlink()
    first = subprocess.Popen(
        command("all"), cwd=peace.folder, env=with_forks(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not list(peace.folder.glob(".snakemake/locks/*")):
        assert first.poll() is None, "the first run ended before the second began"
        time.sleep(0.02)
    second = snakemake(peace.folder, "all")
    assert second.returncode != 0
    assert "Directory cannot be locked" in second.stdout + second.stderr
    assert first.wait() == 0


JOB = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit("let go"))
from resrank.jobs.parent_process import end_with_owner
end_with_owner()
print("here", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("killed", ["Snakemake", "the shell"])
def test_a_job_ends_with_what_started_it(killed, tmp_path):
    """The owner is a process that starts a shell, which starts the job, as in the DAG."""
    shell = f"{sys.executable} -c '{JOB}' 2> {tmp_path / 'log'}; true"
    owner = subprocess.Popen(
        [sys.executable, "-c",
         f"import os, subprocess; os.environ[{VARIABLE!r}] = str(os.getpid()); "
         f"subprocess.run(['bash', '-c', {shell!r}])"],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert owner.stdout.readline() == "here\n"
    bash, job = psutil.Process(owner.pid).children(recursive=True)
    os.kill(owner.pid if killed == "Snakemake" else bash.pid, signal.SIGKILL)
    owner.wait()
    job.wait(timeout=10)
    assert "let go" in (tmp_path / "log").read_text()


def test_a_job_without_an_owner_is_left_alone(monkeypatch):
    for named in ("", "no number", "999999999"):
        monkeypatch.setenv(VARIABLE, named)
        done = subprocess.run(
            [sys.executable, "-c", JOB.replace("sleep(60)", "sleep(1)")],
            env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == "here\n"


def test_a_worker_ends_with_the_process_that_started_it(tmp_path):
    worker = JOB.replace("end_with_owner", "end_with_parent")
    parent = subprocess.Popen(
        [sys.executable, "-c",
         f"import subprocess, sys; subprocess.run([sys.executable, '-c', {worker!r}], "
         f"stderr=open({str(tmp_path / 'log')!r}, 'w'))"],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout.readline() == "here\n"
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    child.wait(timeout=10)
    assert "let go" in (tmp_path / "log").read_text()
