"""Timing in both scenarios, by a clock that the tests control."""

import numpy as np
import pytest

from resrank import phases
from resrank.efficiency.loadgen import Scenario, drive
from resrank.efficiency.meter import MeterOptions, measure
from resrank.efficiency.percentiles import summarise
from resrank.efficiency.phase_clock import PhaseClock
from resrank.efficiency.scenarios import offline, single_stream
from resrank.records import Candidate, Passage, Query, Ranking, Usage
from resrank.reranker import Reranker


class Slow(Reranker):
    """Takes 5 ms per query by its own clock, 2 ms with prepared passages, in phases."""

    def __init__(self):
        self.now, self.prepared, self.ranked = 0, False, []

    def clock(self):
        return self.now

    def rerank(self, query, candidates):
        self.ranked.append(query.id)
        with phases.phase("prefill"):
            self.now += 1_000_000
            if not self.prepared:
                with phases.phase("encode"):
                    self.now += 3_000_000
            phases.turn("decode")
            self.now += 500_000
        self.now += 500_000
        return Ranking(query.id, ("p",), (1.0,), Usage(prompt_tokens=4))

    def rerank_many(self, requests):
        self.now += 1_000_000
        return [Ranking(query.id, ("p",), (1.0,), Usage()) for query, _ in requests]


class Caching(Slow):
    caches_passages = True

    def prepare(self, passages, folder):
        self.prepared = True
        return Usage()

    def forget(self):
        self.prepared = False


REQUESTS = [(Query(str(i), "x"), [Candidate(Passage("p", "t"), 1.0)]) for i in range(4)]


def test_both_modes_are_measured_without_the_warmup():
    slow = Caching()
    figures = measure(slow, REQUESTS, MeterOptions(REQUESTS[:1], clock=slow.clock))
    online = figures["online"]
    assert online["samples_ms"] == [5.0] * 4
    assert (online["p50_ms"], online["p95_ms"], online["p99_ms"]) == (5.0, None, None)
    assert online["p50_interval_ms"] == [5.0, 5.0]
    assert figures["cached"]["p50_ms"] == 2.0
    assert len(slow.ranked) == 10
    assert figures["usage"]["prompt_tokens"] == 4
    assert online["Offline"]["queries_per_second"] == 4000


def test_phases_add_up_to_the_sample_and_the_innermost_counts():
    slow = Slow()
    figures, rankings = single_stream(slow.rerank, REQUESTS, slow.clock)
    assert figures["phases_ms"] == {
        "encode": 3.0, "prefill": 1.0, "decode": 0.5, "score": 0.0, "overhead": 0.5,
    }  # fmt: skip
    assert figures["phase_samples_ms"]["encode"] == [3.0] * 4
    assert [ranking.query_id for ranking in rankings] == [query.id for query, _ in REQUESTS]


def test_the_harness_overhead_is_measured():
    figures = measure(Slow(), REQUESTS)
    assert (
        0
        < figures["harness"]["p50_ms"]
        == pytest.approx(np.median(figures["harness"]["samples_ms"]))
    )
    assert figures["harness"]["phases_ms"]["overhead"] > 0


def test_a_system_without_passage_embeddings_has_one_mode():
    slow = Slow()
    figures = measure(
        slow, REQUESTS, MeterOptions(clock=slow.clock, scenarios=[Scenario.SINGLE_STREAM])
    )
    assert "cached" not in figures
    assert "Offline" not in figures["online"]
    assert figures["index_bytes_per_passage"] is None
    with pytest.raises(ValueError, match="nothing to measure"):
        measure(slow, [])


def test_marks_without_a_listener_or_in_another_thread_are_not_counted():
    from threading import Thread

    def work():
        with phases.phase("encode"):
            phases.turn("score")

    work()
    with PhaseClock().call() as parts:
        thread = Thread(target=work)
        thread.start()
        thread.join()
    assert parts["encode"] == parts["score"] == 0 < parts["overhead"]


def test_a_listener_is_removed_after_an_error():
    stopwatch = PhaseClock()
    with pytest.raises(ZeroDivisionError), stopwatch.call(), phases.phase("encode"):
        raise ZeroDivisionError
    with stopwatch.call() as parts:
        pass
    assert parts["encode"] == 0


@pytest.mark.parametrize("scenario", list(Scenario))
def test_loadgen_issues_each_query_once(scenario):
    issued = []
    figures = drive(scenario, 30, lambda places: issued.append(list(places)))
    assert sorted(place for places in issued for place in places) == list(range(30))
    assert len(issued) == (30 if scenario == Scenario.SINGLE_STREAM else 1)
    assert figures["version"]
    wanted = "p50_ns" if scenario == Scenario.SINGLE_STREAM else "queries_per_second"
    assert figures[wanted] > 0


def test_a_rerankers_error_is_raised_through_loadgen():
    served = []

    def serve(places):
        served.append(places)
        raise ValueError("query 'q7': score nan")

    for scenario in Scenario:
        with pytest.raises(ValueError, match="score nan"):
            drive(scenario, 5, serve)
    assert len(served) == 2  # Nothing is served after an error.


def test_offline_issues_all_queries_at_once():
    slow = Slow()
    figures = offline(slow, REQUESTS, slow.clock)
    assert (figures["queries"], figures["seconds"]) == (4, 0.001)
    assert figures["loadgen"]["queries_per_second"] > 0


def test_percentiles_and_their_intervals():
    samples = list(range(1, 102))  # 1 ... 101 ms
    figures = summarise(samples)
    assert (figures["p50_ms"], figures["p95_ms"], figures["p99_ms"]) == (51, 96, 100)
    low, high = figures["p50_interval_ms"]
    # The order statistics 41 and 61 enclose the median of 101 with 95% (binomial, n p = 50.5).
    assert low == pytest.approx(41, abs=1.5)
    assert high == pytest.approx(61, abs=1.5)
    assert summarise(samples) == figures
    assert summarise([3.0])["p50_interval_ms"] is None


@pytest.mark.parametrize(
    ("samples", "printed"), [(19, []), (20, [95]), (99, [95]), (100, [95, 99])]
)
def test_a_percentile_that_the_sample_cannot_support_is_none(samples, printed):
    figures = summarise([float(n) for n in range(samples)])
    assert [point for point in (95, 99) if figures[f"p{point}_ms"] is not None] == printed
    assert [point for point in (95, 99) if figures[f"p{point}_interval_ms"] is not None] == printed
    assert figures["p50_ms"] == pytest.approx((samples - 1) / 2)
