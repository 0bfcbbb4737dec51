"""What a query costs: time by phase, throughput, memory, energy, in MLPerf's scenarios.

A system that can cache passage embeddings is measured twice, so that their encoding is never
hidden: `online` encodes them within the timed call, `cached` does not.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from resrank.efficiency.energy import counted
from resrank.efficiency.loadgen import Scenario, drive
from resrank.efficiency.memory import device_name, give_back, peaks, reset_peaks
from resrank.efficiency.null import Rerank, null_rerank
from resrank.efficiency.percentiles import summarise
from resrank.efficiency.phase_clock import PARTS, Clock, Part, PhaseClock, device_wait
from resrank.ranking import Request
from resrank.records import Ranking, Usage
from resrank.reranker import Reranker

Check = Callable[[Sequence[Request], Sequence[Ranking]], None]
BOTH = (Scenario.SINGLE_STREAM, Scenario.OFFLINE)


def measure(
    reranker: Reranker,
    requests: Sequence[Request],
    warmup: Sequence[Request],
    store: Path | None = None,
    clock: Clock = time.perf_counter_ns,
    scenarios: Sequence[Scenario] = BOTH,
    check: Check = lambda requests, rankings: None,
    elsewhere: bool = False,
) -> dict[str, Any]:
    """Measure a reranker on requests; `store` holds embeddings for the cached mode.

    check: raises on timed rankings that are not what they should be, so that nothing else is timed.
    elsewhere: the model answered on another machine, query by query, as `clock` tells; neither its
    throughput nor its memory nor its energy is known.
    Returns {"online": found, "cached": found (only for a system that can cache), "usage": mean of
    each counter a query, "candidates": mean list length, "index_bytes_per_passage": of a stored
    embedding or None, "device": its name or None, "harness": the SingleStream of a reranker that
    does nothing}. Found is what `single_stream` returns, with what `offline` returns under
    "Offline", if that is one of the scenarios. Raises ValueError if there is nothing to measure.
    """
    if not requests:
        raise ValueError("no test query has candidates: there is nothing to measure")
    result: dict[str, Any] = {}
    if elsewhere:
        scenarios = (Scenario.SINGLE_STREAM,)
    if reranker.caches_passages:
        with tempfile.TemporaryDirectory() as folder:
            listed = [c.passage for _, found in (*warmup, *requests) for c in found]
            reranker.prepare(listed, store or Path(folder))
            result["cached"], rankings = _mode(reranker, requests, warmup, clock, scenarios)
            check(requests, rankings)
        reranker.forget()
    result["online"], rankings = _mode(reranker, requests, warmup, clock, scenarios)
    check(requests, rankings)
    if elsewhere:
        result["online"] |= {"memory": dict.fromkeys(result["online"]["memory"]), "joules": {}}
    total = asdict(sum((ranking.usage for ranking in rankings), Usage()))
    result["usage"] = {name: value / len(requests) for name, value in total.items()}
    result["candidates"] = sum(len(found) for _, found in requests) / len(requests)
    result["index_bytes_per_passage"] = reranker.bytes_per_passage
    result["device"] = device_name()
    result["harness"], _ = single_stream(null_rerank(requests), requests)
    return result


def _mode(
    reranker: Reranker,
    requests: Sequence[Request],
    warmup: Sequence[Request],
    clock: Clock,
    scenarios: Sequence[Scenario],
) -> tuple[dict[str, Any], list[Ranking]]:
    """Both scenarios after a warm-up that counts for neither."""
    give_back()
    for query, candidates in warmup:
        reranker.rerank(query, candidates)
    found, rankings = single_stream(reranker.rerank, requests, clock)
    if Scenario.OFFLINE in scenarios:
        found[Scenario.OFFLINE] = offline(reranker, requests, clock)
    return found, rankings


def single_stream(
    rerank: Rerank, requests: Sequence[Request], clock: Clock = time.perf_counter_ns
) -> tuple[dict[str, Any], list[Ranking]]:
    """One query at a time: latencies with their percentiles, parts, memory and energy; rankings.

    Samples stand in the order of the requests: {"samples_ms", "p50_ms", "p50_interval_ms", ...,
    "phase_samples_ms": {part: samples}, "phases_ms": {part: mean}, "loadgen": what LoadGen's own
    clock found, "memory", "joules"}.
    """
    stopwatch = PhaseClock(clock)
    parts: dict[int, Mapping[Part, float]] = {}
    rankings: dict[int, Ranking] = {}
    bar = tqdm(total=len(requests), desc="timing, one at a time", unit="query")

    def serve(issued: Sequence[int]) -> None:
        for place in issued:
            with stopwatch.call() as spent:
                rankings[place] = rerank(*requests[place])
            parts[place] = spent
            bar.update()

    with bar, _watched() as held:
        loadgen = drive(Scenario.SINGLE_STREAM, len(requests), serve)
    places = range(len(requests))
    by_phase = {name: [parts[place][name] for place in places] for name in PARTS}
    found = summarise([sum(parts[place].values()) for place in places]) | {
        "scenario": Scenario.SINGLE_STREAM,
        "phase_samples_ms": by_phase,
        "phases_ms": {name: sum(samples) / len(samples) for name, samples in by_phase.items()},
        "loadgen": loadgen,
    }
    return found | held, [rankings[place] for place in places]


def offline(
    reranker: Reranker, requests: Sequence[Request], clock: Clock = time.perf_counter_ns
) -> dict[str, Any]:
    """All queries at once: {"queries", "seconds", "queries_per_second", "loadgen", "memory",
    "joules"}."""
    spent: list[int] = []

    def serve(issued: Sequence[int]) -> None:
        asked = [requests[place] for place in issued]
        wait = device_wait()
        wait()
        start = clock()
        reranker.rerank_many(asked)
        wait()
        spent.append(clock() - start)

    with _watched() as held:
        loadgen = drive(Scenario.OFFLINE, len(requests), serve)
    seconds = sum(spent) / 1e9
    return {
        "queries": len(requests), "seconds": seconds,
        "queries_per_second": len(requests) / seconds if seconds else None, "loadgen": loadgen,
    } | held  # fmt: skip


@contextmanager
def _watched() -> Iterator[dict[str, Any]]:
    """Peak memory and energy of the block, filled in once it has ended."""
    held: dict[str, Any] = {}
    with counted() as joules:
        before = reset_peaks()
        yield held
        held["memory"] = peaks(before)
    held["joules"] = joules
