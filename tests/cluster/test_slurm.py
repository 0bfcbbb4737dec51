"""The DAG through a real one-node Slurm: despite faults, the results equal those of one machine."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cluster import slurm
from tests.conftest import write_beir
from tests.dag import command, contents, copy_project, snakemake, with_forks

TINY = {"encoder": {"dtype": "float32"}, "reranker": {"layers": 1, "heads": 2}}

SUITE = {
    "name": "small",
    "collections": ["mine"],
    "systems": ["tiny"],
    "seeds": [1],
    "untrained": False,
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
    """A job as squeue reports it."""

    number: str
    rule: str
    state: str
    partition: str
    shared: str
    memory: str
    limit: str
    restarts: str
    gpus: str


def jobs() -> list[Job]:
    """Return every submitted job, finished ones too, in the order of their numbers."""
    columns = "%i|%k|%T|%P|%h|%m|%l"
    rows = slurm.output_of(
        "squeue", "--states=all", "--noheader", "--sort=i", f"--format={columns}"
    )
    return [Job(*row.split("|"), *details(row.partition("|")[0])) for row in rows.splitlines()]


def details(number: str) -> tuple[str, str]:
    """Return how often Slurm restarted a job, and the GPUs that the job requested."""
    words = slurm.output_of("scontrol", "show", "job", number).split()
    fields = dict(word.split("=", 1) for word in words if "=" in word)
    return fields["Restarts"], fields.get("TresPerJob", "none")


def wait_for(rule: str, process: subprocess.Popen) -> str:
    """Wait until a job of this rule runs and return its number."""
    while True:
        assert process.poll() is None, f"the run ended before a job of {rule} ran"
        running = slurm.output_of("squeue", "--states=running", "--noheader", "--format=%i|%k")
        for row in running.splitlines():
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


@contextmanager
def started(folder: Path, *words: str) -> Iterator[subprocess.Popen]:
    """Run Snakemake in the block, with its output in `output.txt`; yield the process.

    Slurm runs a Snakemake per job; what that starts is a fork.
    """
    with (folder / "output.txt").open("w") as out:
        process = subprocess.Popen(
            command(*words), cwd=folder, env=with_forks(), stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def ended(process: subprocess.Popen, folder: Path) -> str:
    """Wait for a run, which must succeed, and return its output."""
    status = process.wait(timeout=900)
    output = (folder / "output.txt").read_text()
    assert status == 0, output[-5000:]
    return output


@pytest.fixture(scope="module")
def both(node, tmp_path_factory) -> Iterator[tuple[Path, Path, str, list[Job]]]:
    """Run a suite on this machine and through Slurm; yield both folders, Slurm's output and jobs.

    The first job in Slurm is cancelled, and the node fails during the second.
    """
    alone, through = (project(tmp_path_factory.mktemp(name)) for name in ("alone", "through"))
    with started(alone, "all") as plain, started(through, *THROUGH, "all") as disturbed:
        slurm.output_of("scancel", wait_for("collect", disturbed))
        wait_for("candidates", disturbed)
        slurm.output_of("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
        slurm.output_of("scontrol", "update", f"NodeName={node}", "State=RESUME")
        output = ended(disturbed, through)
        ended(plain, alone)
        yield alone, through, output, jobs()


def test_slurm_gives_the_same_results_as_one_machine(both):
    expected, results = (contents(folder / "results" / "small") for folder in both[:2])
    assert {path.partition("/")[0] for path in expected} == {"runs", "scores", "tables"}
    assert results == expected


def of(rule: str, jobs: list[Job]) -> list[Job]:
    return [job for job in jobs if job.rule.startswith(f"rule_{rule}_")]


def test_a_cancelled_job_is_submitted_again(both):
    _, _, text, sent = both
    assert [job.state for job in of("collect", sent)] == ["CANCELLED", "COMPLETED"]
    assert "SLURM status is: 'CANCELLED'" in text


def test_slurm_restarts_a_job_whose_node_failed(both):
    (job,) = of("candidates", both[3])
    assert (job.state, job.restarts) == ("COMPLETED", "1")


def test_jobs_request_the_resources_of_the_profile(both):
    sent = both[3]
    first, again = of("collect", sent)
    assert (first.partition, first.memory, first.limit) == ("cpu", "8000M", "1:00:00")
    assert (again.memory, again.limit, again.gpus) == ("16000M", "2:00:00", "none")
    for job in of("measure", sent):
        assert (job.partition, job.shared, job.memory) == ("gpu", "NO", "32000M")  # NO: exclusive
    (train,) = of("train", sent)
    assert (train.partition, train.shared, train.limit) == ("gpu", "OK", "12:00:00")
    assert train.gpus == "gres:gpu:1"
    assert [job.rule for job in of("statistics", sent)] == ["rule_statistics_score_significance"]
    assert not of("report", sent)


def test_a_job_over_its_memory_limit_reports_it(both, tmp_path):
    folder = tmp_path / "over"
    shutil.copytree(both[1], folder)
    (embedded,) = folder.glob("results/small/embeddings/mine/*.json")
    done = snakemake(
        folder, *THROUGH, str(embedded.relative_to(folder)), "--forcerun", "encode",
        "--set-resources", "encode:mem_mb=300", "--retries", "0", forks=False,
    )  # fmt: skip
    assert done.returncode != 0
    output = done.stdout + done.stderr
    assert "Error in rule encode" in output
    assert "exceeded memory limit" in output
    assert "more mem_mb or runtime for its rule" in output
