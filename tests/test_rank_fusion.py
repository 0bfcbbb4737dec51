"""A fusion says of endpoints and transcripts what its systems say."""

import time

import pytest

from baselines.rank_fusion import RankFusion, RankFusionOptions
from resrank.suite.load import load_suite
from resrank.suite.plan import Plan

BI_ENCODER = {"kind": "bi_encoder", "options": {}}
ASKED = {"kind": "rankgpt", "options": {"llm": {
    "kind": "http", "url": "http://localhost:8000/v1", "model": "m"}}}  # fmt: skip
TOLD = {"kind": "rankgpt", "options": {"llm": {"kind": "replay", "transcript": "t.jsonl"}}}


@pytest.mark.parametrize(
    ("entry", "asks", "replayed"),
    [(ASKED, True, False), (TOLD, False, True), (BI_ENCODER, False, False)],
)
def test_options_are_those_of_the_fused_systems(entry, asks, replayed):
    options = RankFusionOptions.model_validate({"systems": [BI_ENCODER, entry]})
    assert (options.asks_endpoint, options.is_replayed) == (asks, replayed)


def test_its_measurement_waits_for_the_recorded_run():
    systems = {"fused": {"kind": "rank_fusion", "options": {"system": ASKED}}}
    suite = {"name": "x", "collections": ["docstrings"], "systems": ["fused"]}
    plan = Plan(load_suite(suite | {"define": {"systems": systems}}), "out")
    run = "out/runs/docstrings/bm25/fused/seed0.trec"
    assert plan.recorded_runs("docstrings", "bm25", "fused") == [run]


class Clocked:
    """A system whose recorded time stands still, or one that keeps no record."""

    def __init__(self, nanoseconds):
        self.nanoseconds = nanoseconds

    def recorded_clock(self, run):
        return None if self.nanoseconds is None else lambda: self.nanoseconds


def fusion(*times):
    fused = RankFusion.__new__(RankFusion)
    fused.systems = [Clocked(each) for each in times]
    return fused


def test_recorded_times_are_added(monkeypatch):
    assert fusion(None, None).recorded_clock(None) is None
    assert fusion(3, 4).recorded_clock(None)() == 7
    monkeypatch.setattr(time, "perf_counter_ns", lambda: 100)
    assert fusion(3, None).recorded_clock(None)() == 103  # the other system is timed here
