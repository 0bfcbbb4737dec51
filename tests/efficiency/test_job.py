"""The measure job against a stopwatch of its own around the whole process."""

import json
import time

import pytest

from resrank.suite.load import load_suite
from resrank.suite.plan import Plan
from tests.job_helpers import PAIR, RESULTS, run_job, with_candidates, write_suite


@pytest.fixture(scope="module")
def lists(tmp_path_factory):
    """The folder of a suite with a collection of two test queries, and its candidates."""
    return with_candidates(tmp_path_factory.mktemp("job"), {"bm25": {"kind": "first_stage"}})


def measured(root, name, spec, **how):
    """What the job wrote, and the seconds that its process took."""
    measure = {"queries": 2, "warmup": 1, "threads": 1, **how}
    write_suite(root, {name: spec}, measure=measure)
    start = time.perf_counter()
    done = run_job(root, "measure", *PAIR, "--system", name)
    wall = time.perf_counter() - start
    assert done.returncode == 0, done.stderr
    return json.loads((root / RESULTS / f"efficiency/mine/bm25/{name}.json").read_text()), wall


SLEEPER = "tests.efficiency.sleeper:Sleeper"


def test_measured_time_lies_between_the_sleep_and_the_process_time(lists):
    for name, seconds in (("fast", 0.02), ("slow", 0.3)):
        spec = {"kind": SLEEPER, "options": {"seconds": seconds}}
        result, wall = measured(lists, name, spec)
        online = result["online"]
        assert all(sample >= seconds * 1e3 for sample in online["samples_ms"])
        assert online["Offline"]["seconds"] >= 2 * seconds
        assert sum(online["samples_ms"]) / 1e3 + online["Offline"]["seconds"] <= wall
        # LoadGen's clock runs around ours.
        assert online["loadgen"]["p50_ns"] / 1e6 >= min(online["samples_ms"])


def test_a_system_with_an_index(lists, monkeypatch):
    spec = {"kind": "bi_encoder", "options": {"dtype": "float32"}}
    monkeypatch.chdir(write_suite(lists, {"bi": spec}))
    (encoder,) = Plan(load_suite(lists / "suite.yaml")).encoders
    done = run_job(lists, "encode", "--collection", "mine", "--encoder", encoder)
    assert done.returncode == 0, done.stderr
    result, wall = measured(lists, "bi", spec)
    spent = [result[mode] for mode in ("online", "cached")]
    total = sum(sum(m["samples_ms"]) / 1e3 + m["Offline"]["seconds"] for m in spent)
    assert total <= wall
    assert result["index_bytes_per_passage"] == 384 * 4
    for mode in spent:
        assert mode["memory"]["host_peak_bytes"] >= mode["memory"]["host_before_bytes"] > 1e8
        assert (
            mode["memory"]["device_peak_bytes"] is None or mode["memory"]["device_peak_bytes"] > 0
        )
        assert mode["joules"].keys() == {"cpu", "memory", "gpu"}


def test_throughput_can_be_left_out(lists):
    spec = {"kind": SLEEPER, "options": {"seconds": 0.01}}
    result, _ = measured(lists, "stream", spec, scenarios=["SingleStream"])
    assert "Offline" not in result["online"]
