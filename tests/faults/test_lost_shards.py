"""One of seven shards lost, or damaged: it alone is made again, and the whole is the same bytes."""

import random

import pytest

from tests.dag import copy_project, rules_run, snakemake
from tests.faults.kills import PLAIN
from tests.faults.test_damage import flipped
from tests.test_shards import many_queries

RUN = "results/smoke/runs/mine/bm25/bm25/seed0"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("shards"), PLAIN | {"shards": 7})
    many_queries(folder / "data")
    done = snakemake(folder, f"{RUN}.trec")
    assert done.returncode == 0, done.stdout + done.stderr
    assert rules_run(done).count("rerank_shard") == 7
    return folder


def made_again(folder):
    """Make the run again; which jobs that took."""
    (folder / f"{RUN}.trec").unlink(missing_ok=True)
    done = snakemake(folder, f"{RUN}.trec")
    return done, rules_run(done)


@pytest.mark.parametrize("ending", ["trec", "usage.parquet", "manifest.json"])
def test_a_lost_or_damaged_file_of_a_shard(built, ending):
    whole = (built / f"{RUN}.trec").read_bytes(), (built / f"{RUN}.usage.parquet").read_bytes()
    shards = (built / f"{RUN}.shards").glob("*.trec")
    file = max(shards, key=lambda path: path.stat().st_size).with_suffix(f".{ending}")
    file.write_bytes(flipped(file.read_bytes(), random.Random(2), start=0))
    done, _ = made_again(built)
    assert done.returncode != 0
    assert f"{file.name} is damaged" in done.stdout + done.stderr
    assert "delete it, and the job that makes it runs again" in done.stdout + done.stderr
    file.unlink()
    done, jobs = made_again(built)
    assert done.returncode == 0, done.stdout + done.stderr
    assert jobs == ["merge_runs", "rerank_shard"]
    again = (built / f"{RUN}.trec").read_bytes(), (built / f"{RUN}.usage.parquet").read_bytes()
    assert again == whole
