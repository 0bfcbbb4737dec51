"""A wall clock that is set: durations do not follow it, and no job is redone or skipped for it."""

import itertools
import json
import os
import time

import pytest

from resrank.candidates.freeze import freeze
from resrank.io.collection import Collection
from resrank.jobs.encode import EncodeJob, encode
from resrank.jobs.measure import MeasureJob, measure
from resrank.model.options import EncoderOptions
from resrank.records import Split
from resrank.suite.preflight import OLD, date_back
from resrank.suite.schema import Measurement, System
from tests.conftest import write_beir
from tests.dag import copy_project, rules_run, snakemake
from tests.entries import parse_collection, parse_first_stage
from tests.faults.kills import PLAIN

DAY = 86_400


def test_durations_are_those_of_a_clock_that_nobody_sets(beir, tmp_path, monkeypatch):
    parse_collection({"kind": "beir", "path": str(beir)}).collect(tmp_path / "c")
    collection, lists = Collection(tmp_path / "c"), tmp_path / "bm25.parquet"
    freeze(collection, parse_first_stage({"kind": "bm25", "depth": 5}), lists)
    jumps, began = itertools.cycle([DAY, -DAY]), time.perf_counter()
    monkeypatch.setattr(time, "time", lambda: began + next(jumps))
    options = EncoderOptions(dtype="float32")
    encode(
        EncodeJob(
            collection=collection,
            candidates=[lists],
            splits=[Split.TEST],
            encoder=options,
            store=tmp_path / "s",
            out=tmp_path / "e.json",
        )
    )
    bi = System(kind="bi_encoder", options={"dtype": "float32"})
    measure(
        MeasureJob(
            name="bi",
            system=bi,
            collection=collection,
            candidates=lists,
            measurement=Measurement(queries=2, warmup=1),
            store=tmp_path / "s",
            out=tmp_path / "m.json",
        )
    )
    most = time.perf_counter() - began
    assert 0 <= json.loads((tmp_path / "e.json").read_text())["seconds"] <= most
    result = json.loads((tmp_path / "m.json").read_text())
    for mode in ("online", "cached"):
        assert 0 < result[mode]["p50_ms"] < 1000 * most


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("clock"), PLAIN)
    write_beir(folder / "data")
    assert scored(folder) == ["candidates", "collect", "rerank", "score"]
    return folder


def scored(folder) -> list[str]:
    """Which rules ran for the scores."""
    done = snakemake(folder, "results/smoke/scores/mine/bm25.parquet")
    assert done.returncode == 0, done.stdout + done.stderr
    return rules_run(done)


def dated(folder, date: float) -> None:
    for path in (folder / "results").rglob("*"):
        os.utime(path, (date, date))


@pytest.mark.parametrize("away", [-400 * DAY, DAY, 400 * DAY])
def test_a_wrong_date_alone_makes_no_job_run(built, away):
    dated(built, time.time() + away)
    assert scored(built) == []


def test_an_edited_source_is_seen_though_its_results_are_of_the_future(built):
    dated(built, time.time() + DAY)
    source = built / "resrank/evaluation/score.py"
    source.write_text(source.read_text() + "\n# edited\n")
    assert scored(built) == ["score"]


def test_edited_data_is_seen_though_its_results_are_of_the_future(built):
    dated(built, time.time() + DAY)
    queries = built / "data" / "queries.jsonl"
    queries.write_text(queries.read_text().replace('"text": "', '"text": "edited '))
    assert "collect" in scored(built)


def test_what_is_of_the_future_is_dated_back(tmp_path):
    for name, date in (("now", time.time()), ("ahead", time.time() + DAY)):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (date, date))
    assert date_back(tmp_path) == [tmp_path / "ahead"]
    assert date_back(tmp_path) == []
    assert (tmp_path / "ahead").stat().st_mtime == OLD


def test_what_another_run_takes_away_meanwhile_is_none_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "walk", lambda _: [(str(tmp_path), ["gone"], ["gone too"])])
    assert date_back(tmp_path) == []
