"""An endpoint's times come from the recorded answers: no request is sent only to be timed."""

import json
import subprocess
import time

import pytest

from resrank.efficiency.meter import MeterOptions, measure
from resrank.io.text import DataError
from tests.conftest import write_beir
from tests.dag import copy_project, snakemake
from tests.job_helpers import ENVIRONMENT, PAIR, RESULTS, command, with_candidates
from tests.llm.http_reranker import WINDOW, requests, reranker, reverse
from tests.llm.server import endpoint


def seconds(path):
    """The recorded times of the answers to each query, in milliseconds."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        sum(r["seconds"] for r in rows if f"number {i}" in r["prompt"][-1]["content"]) * 1e3
        for i in range(4)
    ]


def test_a_querys_time_is_the_time_of_its_recorded_calls(tmp_path):
    with endpoint(reverse) as server:
        server.delay = 0.05
        system = reranker(server.url)
        system.keep_transcript(tmp_path / "seed0.trec")
        rankings = system.rerank_many(requests())
        before = server.tries_so_far()
        timed = reranker(server.url)
        clock = timed.recorded_clock(tmp_path / "seed0.trec")
        measured = measure(timed, requests(), MeterOptions(requests()[:2], clock=clock))
        assert server.tries_so_far() == before
        other = reranker(server.url, temperature=0.5)
        with pytest.raises(DataError, match="is not asked again only to be timed; rerank first"):
            other.recorded_clock(tmp_path / "seed0.trec")
        with pytest.raises(DataError, match="no run is named"):
            timed.recorded_clock(None)
    assert measured["online"]["samples_ms"] == pytest.approx(
        seconds(system.transcript.path), abs=1e-3
    )
    assert min(measured["online"]["samples_ms"]) > 3 * 50
    assert measured["usage"]["prompt_tokens"] == sum(r.usage.prompt_tokens for r in rankings) / 4


def test_a_terminated_rerank_job_leaves_a_complete_transcript(tmp_path):
    with endpoint(reverse) as server:
        server.delay = 1.5
        llm = {"kind": "http", "url": server.url, "model": "m"}
        options = {"llm": llm, "prompt": "short", "window": WINDOW}
        folder = with_candidates(tmp_path, {"asked": {"kind": "rankgpt", "options": options}})
        words = command("rerank", *PAIR, "--system", "asked")
        job = subprocess.Popen(words, stderr=subprocess.PIPE, cwd=folder, env=ENVIRONMENT)
        while not server.active and job.poll() is None:
            time.sleep(0.02)
        job.terminate()
        _, stderr = job.communicate(timeout=60)
        assert job.returncode == 143, stderr.decode()
    runs = folder / RESULTS / "runs" / "mine" / "bm25" / "asked"
    (transcript,) = runs.iterdir()  # no run, no manifest, nothing half
    assert len(transcript.read_text().splitlines()) == sum(server.tries_so_far().values()) > 0


def test_the_dag_sends_each_request_once(tmp_path):
    with endpoint(reverse) as server:
        llm = {"kind": "http", "url": server.url, "model": "m"}
        options = {"llm": llm, "prompt": "short", "window": WINDOW}
        suite = {
            "name": "paid", "collections": ["mine"], "systems": ["bm25", "asked"],
            "measure": {"queries": 2, "warmup": 1},
            "define": {
                "collections": {"mine": {"kind": "beir", "path": "data"}},
                "systems": {"asked": {"kind": "rankgpt", "label": "Asked", "options": options}},
            },
        }  # fmt: skip
        folder = copy_project(tmp_path, suite)
        write_beir(folder / "data")
        done = snakemake(folder, "all")
        assert done.returncode == 0, done.stderr[-2000:]
        assert set(server.tries_so_far().values()) == {1}
    results = folder / "results" / "paid"
    measured = json.loads((results / "efficiency/mine/bm25/asked.json").read_text())
    assert measured["timed"] == "recorded"
    assert measured["online"]["p50_ms"] > 0
    manifest = json.loads((results / "runs/mine/bm25/asked/seed0.manifest.json").read_text())
    kept = manifest["about"]["transcript"]
    assert kept["answers"] == sum(server.tries_so_far().values())
    assert (results / "runs/mine/bm25/asked" / kept["file"]).is_file()
    table = (results / "tables" / "comparison.md").read_text()
    assert "The times of Asked are sums of recorded call times" in table
