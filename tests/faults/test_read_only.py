"""Results that cannot be written, or a device that is not there: said before the first job."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from tests import job_helpers
from tests.conftest import write_beir
from tests.dag import ENVIRONMENT, command, copy_project, snakemake
from tests.faults.kills import PLAIN
from tests.job_helpers import PAIR, RESULTS, write_suite

MOUNT = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
MADE = "results/smoke/collections/mine/manifest.json"
LATER = "results/smoke/candidates/mine/bm25.parquet"


def read_only(folder: Path, words: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command that sees a folder as one that cannot be written, though it may be root's."""
    within = ["unshare", "--mount", "sh", "-c", MOUNT, str(folder)]
    if shutil.which("unshare") is None:
        pytest.skip("there is no `unshare` here")
    tried = subprocess.run([*within, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"no folder can be mounted read-only here: {tried.stderr.strip()}")
    return subprocess.run(
        [*within, *words], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


def test_a_suite_says_so_before_its_first_job(tmp_path):
    folder = copy_project(tmp_path, PLAIN)
    write_beir(folder / "data")
    results = folder / "results"
    results.mkdir()
    done = read_only(results, command(LATER), folder)
    assert done.returncode != 0
    message = done.stdout + done.stderr
    assert "cannot write results/smoke: Read-only file system; make results writable" in message
    assert "rule collect" not in message
    assert list(results.iterdir()) == []
    made = snakemake(folder, MADE)
    assert made.returncode == 0, made.stderr
    before = sorted(results.rglob("*"))
    done = read_only(results, command(LATER), folder)
    assert "cannot write results/smoke: Read-only file system" in done.stdout + done.stderr
    assert sorted(results.rglob("*")) == before
    done = read_only(results, command(MADE), folder)  # finished: it may be looked at
    assert done.returncode == 0, done.stdout + done.stderr
    done = snakemake(folder, LATER)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("shut", ["runs", "embeddings"])
def test_a_job_by_hand_says_so_before_it_reads_anything(tmp_path, shut):
    """The collection and the candidates are missing: to read them would be another error."""
    folder = write_suite(tmp_path, {"bm25": {"kind": "first_stage"}})
    place = folder / RESULTS / shut
    place.mkdir(parents=True)
    words = job_helpers.command("rerank", *PAIR, "--system", "bm25")
    done = read_only(place, words, folder)
    assert done.returncode == 1
    assert re.search(
        f"error: cannot write {RESULTS}/{shut}/.*: Read-only file system; make", done.stderr
    )
    assert [path.name for path in (folder / RESULTS).rglob("*")] == [shut]


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is here")
@pytest.mark.parametrize("where", ["system", "first stage"])
def test_a_device_that_is_not_here_is_named_with_its_owner(tmp_path, where):
    bi = {"kind": "bi_encoder", "options": {"device": "cuda"}}
    near = {"kind": "dense", "encoder": {"device": "cuda:1"}}
    define = PLAIN["define"] | {"systems": {"bi": bi}, "first_stages": {"near": near}}
    chosen = {"systems": ["bm25", "bi"]} if where == "system" else {"first_stages": ["near"]}
    folder = copy_project(tmp_path, PLAIN | {"define": define} | chosen)
    write_beir(folder / "data")
    done = snakemake(folder, "all")
    message = done.stdout + done.stderr
    assert done.returncode != 0
    assert "rule collect" not in message
    owner = "system 'bi', options.device: device 'cuda'"
    owner = owner if where == "system" else "first stage 'near', encoder.device: device 'cuda:1'"
    assert f"{owner} is asked for, but torch" in message
    assert "use 'auto' or 'cpu'" in message
    assert not (folder / "results").exists()
    assert snakemake(folder, "-n", "all").returncode == 0  # planned for another machine
