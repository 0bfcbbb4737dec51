"""The `measure` verb against a stopwatch of its own around the whole process."""

import json
import os
import subprocess
import sys
import time

import pytest

from resrank.candidates.base import parse_first_stage
from resrank.candidates.freeze import freeze
from resrank.collections.base import parse_collection
from resrank.io.collection import Collection
from tests.conftest import ROOT, write_beir


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    """A collection of two test queries, and its candidates."""
    root = tmp_path_factory.mktemp("job")
    spec = {"kind": "beir", "path": str(write_beir(root / "beir"))}
    parse_collection(spec).collect(root / "collection")
    stage = parse_first_stage({"kind": "bm25"})
    freeze(Collection(root / "collection"), stage, root / "bm25.parquet", None, {})
    return root


def measured(root, name, spec, **how):
    """What the job wrote, and the seconds that its process took."""
    words = ["--collection", root / "collection", "--candidates", root / "bm25.parquet", "--name",
             name, "--spec", json.dumps(spec), "--out", root / f"{name}.json",
             "--how", json.dumps({"queries": 2, "warmup": 1, "threads": 1, **how})]  # fmt: skip
    command = [sys.executable, "-m", "resrank", "measure", *map(str, words)]
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    wall = time.perf_counter() - start
    assert done.returncode == 0, done.stderr
    return json.loads((root / f"{name}.json").read_text()), wall


SLEEPER = "tests.efficiency.sleeper:Sleeper"


def test_no_more_time_is_measured_than_passed_and_no_less_than_was_slept(lists):
    for name, seconds in (("fast", 0.02), ("slow", 0.3)):
        spec = {"kind": SLEEPER, "options": {"seconds": seconds}}
        found, wall = measured(lists, name, spec)
        online = found["online"]
        assert all(sample >= seconds * 1e3 for sample in online["samples_ms"])
        assert online["Offline"]["seconds"] >= 2 * seconds
        assert sum(online["samples_ms"]) / 1e3 + online["Offline"]["seconds"] <= wall
        # LoadGen has a clock of its own, around ours.
        assert online["loadgen"]["p50_ns"] / 1e6 >= min(online["samples_ms"])


def test_a_system_with_an_index(lists):
    found, wall = measured(lists, "bi", {"kind": "bi_encoder", "options": {"dtype": "float32"}})
    spent = [found[mode] for mode in ("online", "cached")]
    total = sum(sum(m["samples_ms"]) / 1e3 + m["Offline"]["seconds"] for m in spent)
    assert total <= wall
    assert found["index_bytes_per_passage"] == 384 * 4
    for mode in spent:
        assert mode["memory"]["host_peak_bytes"] >= mode["memory"]["host_before_bytes"] > 1e8
        assert (
            mode["memory"]["device_peak_bytes"] is None or mode["memory"]["device_peak_bytes"] > 0
        )
        assert mode["joules"].keys() == {"cpu", "memory", "gpu"}


def test_throughput_can_be_left_out(lists):
    spec = {"kind": SLEEPER, "options": {"seconds": 0.01}}
    found, _ = measured(lists, "stream", spec, scenarios=["SingleStream"])
    assert "Offline" not in found["online"]
