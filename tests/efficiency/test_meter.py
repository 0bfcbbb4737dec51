import numpy as np
import pytest

from resrank import phases
from resrank.efficiency.loadgen import Scenario, drive
from resrank.efficiency.meter import measure, offline, single_stream
from resrank.efficiency.percentiles import summarise
from resrank.efficiency.phase_clock import PhaseClock
from resrank.records import Candidate, Passage, Query, Ranking, Usage
from resrank.reranker import Reranker


class Slow(Reranker):
    """Takes 5 ms a query by a clock of its own, 2 ms with passages prepared; in phases."""

    def __init__(self):
        self.now, self.prepared, self.asked = 0, False, []

    def clock(self):
        return self.now

    def rerank(self, query, candidates):
        self.asked.append(query.id)
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


def test_both_modes_are_measured_and_warmup_is_not():
    slow = Caching()
    found = measure(slow, REQUESTS, REQUESTS[:1], clock=slow.clock)
    online = found["online"]
    assert online["samples_ms"] == [5.0] * 4
    assert (online["p50_ms"], online["p95_ms"], online["p99_ms"]) == (5.0, 5.0, 5.0)
    assert online["p50_interval_ms"] == [5.0, 5.0]
    assert found["cached"]["p50_ms"] == 2.0
    assert len(slow.asked) == 10
    assert found["usage"]["prompt_tokens"] == 4
    assert online["Offline"]["queries_per_second"] == 4000


def test_phases_add_up_to_the_sample_and_the_innermost_counts():
    slow = Slow()
    found, rankings = single_stream(slow.rerank, REQUESTS, slow.clock)
    assert found["phases_ms"] == {
        "encode": 3.0, "prefill": 1.0, "decode": 0.5, "score": 0.0, "overhead": 0.5,
    }  # fmt: skip
    assert found["phase_samples_ms"]["encode"] == [3.0] * 4
    assert [ranking.query_id for ranking in rankings] == [query.id for query, _ in REQUESTS]


def test_the_harness_own_overhead_is_measured():
    found = measure(Slow(), REQUESTS, [])
    assert (
        0 < found["harness"]["p50_ms"] == pytest.approx(np.median(found["harness"]["samples_ms"]))
    )
    assert found["harness"]["phases_ms"]["overhead"] > 0


def test_a_system_without_passage_embeddings_has_one_mode():
    slow = Slow()
    found = measure(slow, REQUESTS, [], clock=slow.clock, scenarios=[Scenario.SINGLE_STREAM])
    assert "cached" not in found
    assert "Offline" not in found["online"]
    assert found["index_bytes_per_passage"] is None
    with pytest.raises(ValueError, match="nothing to measure"):
        measure(slow, [], [])


def test_marks_without_a_listener_or_in_another_thread_count_for_nobody():
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


def test_a_listener_is_gone_after_an_error():
    stopwatch = PhaseClock()
    with pytest.raises(ZeroDivisionError), stopwatch.call(), phases.phase("encode"):
        raise ZeroDivisionError
    with stopwatch.call() as parts:
        pass
    assert parts["encode"] == 0


@pytest.mark.parametrize("scenario", list(Scenario))
def test_loadgen_issues_each_query_once(scenario):
    issued = []
    found = drive(scenario, 30, lambda places: issued.append(list(places)))
    assert sorted(place for places in issued for place in places) == list(range(30))
    assert len(issued) == (30 if scenario == Scenario.SINGLE_STREAM else 1)
    assert found["version"]
    wanted = "p50_ns" if scenario == Scenario.SINGLE_STREAM else "queries_per_second"
    assert found[wanted] > 0


def test_what_a_reranker_raises_comes_out_of_loadgen():
    asked = []

    def serve(places):
        asked.append(places)
        raise ValueError("query 'q7': score nan")

    for scenario in Scenario:
        with pytest.raises(ValueError, match="score nan"):
            drive(scenario, 5, serve)
    assert len(asked) == 2  # nothing is asked of it after that


def test_offline_asks_everything_at_once():
    slow = Slow()
    found = offline(slow, REQUESTS, slow.clock)
    assert (found["queries"], found["seconds"]) == (4, 0.001)
    assert found["loadgen"]["queries_per_second"] > 0


def test_percentiles_and_their_intervals():
    samples = list(range(1, 102))  # 1 ... 101 ms
    found = summarise(samples)
    assert (found["p50_ms"], found["p95_ms"], found["p99_ms"]) == (51, 96, 100)
    low, high = found["p50_interval_ms"]
    # The order statistics 41 and 61 enclose the median of 101 with 95% (binomial, n p = 50.5).
    assert low == pytest.approx(41, abs=1.5)
    assert high == pytest.approx(61, abs=1.5)
    assert summarise(samples) == found
    assert summarise([3.0])["p99_interval_ms"] is None
