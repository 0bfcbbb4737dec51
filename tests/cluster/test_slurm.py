"""The DAG through a real Slurm of one node: disturbed, and yet the same as on one machine."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cluster import slurm
from tests.conftest import write_beir
from tests.dag import ENVIRONMENT, command, contents, copy_project, snakemake

TINY = {"encoder": {"dtype": "float32"}, "reranker": {"layers": 1, "heads": 2}}

SUITE = {
    "name": "small",
    "collections": ["mine"],
    "systems": ["bm25", "tiny"],
    "seeds": [1],
    "measure": {"queries": 2, "warmup": 1},
    "define": {
        "collections": {"mine": {"kind": "beir", "path": "data"}},
        "systems": {
            "tiny": {"kind": "resrank", "options": TINY, "training": {}, "threads": 1},
        },
    },
}
THROUGH = ["--workflow-profile", "profiles/slurm", "--slurm-status-command", "squeue",
           "--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5"]  # fmt: skip


class Job(NamedTuple):
    """A job as squeue has it."""

    number: str
    rule: str
    state: str
    partition: str
    shared: str
    memory: str
    limit: str
    restarts: str


def jobs() -> list[Job]:
    """Every job that was sent, the finished ones too, in the order of their numbers."""
    asked = "%i|%k|%T|%P|%h|%m|%l"
    rows = slurm.said("squeue", "--states=all", "--noheader", "--sort=i", f"--format={asked}")
    return [Job(*row.split("|"), restarts(row.partition("|")[0])) for row in rows.splitlines()]


def restarts(number: str) -> str:
    shown = slurm.said("scontrol", "show", "job", number)
    return shown.partition("Restarts=")[2].split()[0]


def wait_for(rule: str, process: subprocess.Popen) -> str:
    """The number of the job of a rule that is running."""
    while True:
        assert process.poll() is None, f"the run ended before a job of {rule} ran"
        found = slurm.said("squeue", "--states=running", "--noheader", "--format=%i|%k")
        for row in found.splitlines():
            number, _, comment = row.partition("|")
            if comment.startswith(f"rule_{rule}_"):
                return number
        time.sleep(0.1)


def project(folder: Path) -> Path:
    copy_project(folder, SUITE)
    write_beir(folder / "data")
    return folder


@pytest.fixture(scope="module")
def node(tmp_path_factory) -> Iterator[str]:
    why_not = slurm.missing()
    if why_not:
        pytest.skip(why_not)
    with slurm.running(tmp_path_factory.mktemp("slurm")) as name:
        yield name


@pytest.fixture(scope="module")
def disturbed(node, tmp_path_factory) -> tuple[Path, str, list[Job]]:
    """A suite whose first job was cancelled and whose node failed under the second."""
    folder = project(tmp_path_factory.mktemp("through"))
    log = folder / "said.txt"
    with log.open("w") as out:
        process = subprocess.Popen(
            command(*THROUGH, "all"), cwd=folder, env=ENVIRONMENT, stdout=out, stderr=out
        )
    try:
        slurm.said("scancel", wait_for("collect", process))
        wait_for("candidates", process)
        slurm.said("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
        slurm.said("scontrol", "update", f"NodeName={node}", "State=RESUME")
        assert process.wait(timeout=300) == 0, log.read_text()[-5000:]
    finally:
        process.terminate()
    return folder, log.read_text(), jobs()


def test_the_results_are_those_of_one_machine(disturbed, tmp_path):
    alone = project(tmp_path / "alone")
    done = snakemake(alone, "all")
    assert done.returncode == 0, done.stdout + done.stderr
    expected, found = contents(alone), contents(disturbed[0])
    assert len(expected) > 5
    assert found == expected


def of(rule: str, jobs: list[Job]) -> list[Job]:
    return [job for job in jobs if job.rule.startswith(f"rule_{rule}_")]


def test_a_cancelled_job_is_sent_again(disturbed):
    _, text, sent = disturbed
    assert [job.state for job in of("collect", sent)] == ["CANCELLED", "COMPLETED"]
    assert "SLURM status is: 'CANCELLED'" in text


def test_a_job_whose_node_failed_is_started_again_by_slurm(disturbed):
    (job,) = of("candidates", disturbed[2])
    assert (job.state, job.restarts) == ("COMPLETED", "1")


def test_jobs_ask_for_what_the_profile_says(disturbed):
    sent = disturbed[2]
    first, again = of("collect", sent)
    assert (first.partition, first.memory, first.limit) == ("cpu", "8000M", "1:00:00")
    assert (again.memory, again.limit) == ("16000M", "2:00:00")
    for job in of("measure", sent):
        assert (job.partition, job.shared, job.memory) == ("gpu", "NO", "32000M")  # NO: exclusive
    (train,) = of("train", sent)
    assert (train.partition, train.shared, train.limit) == ("gpu", "OK", "12:00:00")
    assert [job.rule for job in of("statistics", sent)] == ["rule_statistics_score_significance"]
    assert not of("report", sent)


def test_a_job_over_its_memory_says_so(node, tmp_path):
    folder = project(tmp_path / "over")
    done = snakemake(
        folder, *THROUGH, "--set-resources", "collect:mem_mb=50", "--retries", "0",
        "results/small/collections/mine/manifest.json",
    )  # fmt: skip
    assert done.returncode != 0
    assert "exceeded memory limit" in done.stdout + done.stderr
