"""What an endpoint takes is what was recorded when it answered: it is never asked to be timed."""

import json
import subprocess
import time

import pytest

from resrank.efficiency.meter import measure
from resrank.io.text import DataError
from tests.by_hand import ENVIRONMENT, PAIR, RESULTS, command, with_candidates
from tests.conftest import write_beir
from tests.dag import copy_project, snakemake
from tests.llm.server import endpoint
from tests.llm.test_http import WINDOW, requests, reranker, reverse


def seconds(path):
    """The recorded times of the answers to each query, in milliseconds."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        sum(r["seconds"] for r in rows if f"number {i}" in r["prompt"][-1]["content"]) * 1e3
        for i in range(4)
    ]


def test_a_query_takes_what_its_calls_took(tmp_path):
    with endpoint(reverse) as server:
        server.delay = 0.05
        asked = reranker(server.url)
        asked.keep_transcript(tmp_path / "seed0.trec")
        rankings = asked.rerank_many(requests())
        before = server.asked()
        timed = reranker(server.url)
        clock = timed.recorded_clock(tmp_path / "seed0.trec")
        found = measure(timed, requests(), requests()[:2], clock=clock)
        assert server.asked() == before
        other = reranker(server.url, temperature=0.5)
        with pytest.raises(DataError, match="is not asked again only to be timed; rerank first"):
            other.recorded_clock(tmp_path / "seed0.trec")
        with pytest.raises(DataError, match="no run is named"):
            timed.recorded_clock(None)
    assert found["online"]["samples_ms"] == pytest.approx(seconds(asked.transcript.path), abs=1e-3)
    assert min(found["online"]["samples_ms"]) > 3 * 50
    assert found["usage"]["prompt_tokens"] == sum(r.usage.prompt_tokens for r in rankings) / 4


def test_the_rerank_job_ends_in_order_when_it_is_terminated(tmp_path):
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
        _, said = job.communicate(timeout=60)
        assert job.returncode == 143, said.decode()
    runs = folder / RESULTS / "runs" / "mine" / "bm25" / "asked"
    (transcript,) = runs.iterdir()  # no run, no manifest, nothing half
    assert len(transcript.read_text().splitlines()) == sum(server.asked().values()) > 0


def test_the_whole_dag_asks_an_endpoint_each_question_once(tmp_path):
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
        assert set(server.asked().values()) == {1}
    results = folder / "results" / "paid"
    measured = json.loads((results / "efficiency/mine/bm25/asked.json").read_text())
    assert measured["timed"] == "recorded"
    assert measured["online"]["p50_ms"] > 0
    manifest = json.loads((results / "runs/mine/bm25/asked/seed0.manifest.json").read_text())
    kept = manifest["about"]["transcript"]
    assert kept["answers"] == sum(server.asked().values())
    assert (results / "runs/mine/bm25/asked" / kept["file"]).is_file()
    table = (results / "tables" / "comparison.md").read_text()
    assert "A query's time of Asked: what its calls took when they were recorded" in table
