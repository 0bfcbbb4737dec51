"""The two scenarios in which LoadGen issues the queries: one at a time, and all at once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from resrank.efficiency.energy import measured_joules
from resrank.efficiency.loadgen import Scenario, drive
from resrank.efficiency.memory import peaks, reset_peaks
from resrank.efficiency.null import Rerank
from resrank.efficiency.percentiles import summarise
from resrank.efficiency.phase_clock import PARTS, Clock, Part, PhaseClock, device_wait
from resrank.ranking import Request
from resrank.records import Ranking
from resrank.reranker import Reranker


def single_stream(
    rerank: Rerank, requests: Sequence[Request], clock: Clock = time.perf_counter_ns
) -> tuple[dict[str, Any], list[Ranking]]:
    """Time one query at a time, and return the figures and the rankings.

    Samples and rankings are in the order of the requests. The figures are {"scenario",
    "samples_ms", "p50_ms", "p50_interval_ms", ..., "phase_samples_ms": {part: samples},
    "phases_ms": {part: mean}, "loadgen": LoadGen's measurements, "memory", "joules"}. clock:
    returns nanoseconds.
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

    with bar, _memory_and_energy() as resources:
        loadgen = drive(Scenario.SINGLE_STREAM, len(requests), serve)
    places = range(len(requests))
    by_phase = {name: [parts[place][name] for place in places] for name in PARTS}
    figures = summarise([sum(parts[place].values()) for place in places]) | {
        "scenario": Scenario.SINGLE_STREAM,
        "phase_samples_ms": by_phase,
        "phases_ms": {name: sum(samples) / len(samples) for name, samples in by_phase.items()},
        "loadgen": loadgen,
    }
    return figures | resources, [rankings[place] for place in places]


def offline(
    reranker: Reranker, requests: Sequence[Request], clock: Clock = time.perf_counter_ns
) -> dict[str, Any]:
    """Time all queries at once.

    Returns {"queries", "seconds", "queries_per_second", "loadgen", "memory", "joules"}. clock:
    returns nanoseconds.
    """
    spent: list[int] = []

    def serve(issued: Sequence[int]) -> None:
        batch = [requests[place] for place in issued]
        wait = device_wait()
        wait()
        start = clock()
        reranker.rerank_many(batch)
        wait()
        spent.append(clock() - start)

    with _memory_and_energy() as resources:
        loadgen = drive(Scenario.OFFLINE, len(requests), serve)
    seconds = sum(spent) / 1e9
    return {
        "queries": len(requests),
        "seconds": seconds,
        "queries_per_second": len(requests) / seconds if seconds else None,
        "loadgen": loadgen,
    } | resources


@contextmanager
def _memory_and_energy() -> Iterator[dict[str, Any]]:
    """Yield peak memory and energy of the block, filled in when it has ended."""
    resources: dict[str, Any] = {}
    with measured_joules() as joules:
        before = reset_peaks()
        yield resources
        resources["memory"] = peaks(before)
    resources["joules"] = joules
