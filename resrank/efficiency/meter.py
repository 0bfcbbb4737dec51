"""What a query costs: time by phase, throughput, memory and energy, in MLPerf's scenarios.

A system that can cache passage embeddings is measured twice, so that their encoding is never
hidden. The mode `online` encodes passages within the timed call, the mode `cached` does not.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from resrank.efficiency.loadgen import Scenario
from resrank.efficiency.memory import device_name, release_freed_memory
from resrank.efficiency.null import null_rerank
from resrank.efficiency.phase_clock import Clock
from resrank.efficiency.scenarios import offline, single_stream
from resrank.ranking import Request
from resrank.records import Ranking, Usage
from resrank.reranker import Reranker

Check = Callable[[Sequence[Request], Sequence[Ranking]], None]
BOTH = (Scenario.SINGLE_STREAM, Scenario.OFFLINE)


def _accept(requests: Sequence[Request], rankings: Sequence[Ranking]) -> None:
    """Accept any rankings."""


@dataclass(frozen=True)
class MeterOptions:
    """How a reranker is measured.

    warmup: requests that are ranked before each mode and are not counted.
    store: folder of passage embeddings for the cached mode; None for a temporary one.
    clock: returns nanoseconds.
    scenarios: MLPerf's scenarios to run; single stream always runs.
    check: raises an error on wrong rankings, so that only correct ones are timed.
    remote: the model answered on another machine, query by query, in the time that `clock` tells.
        Its throughput, memory and energy are unknown.
    """

    warmup: Sequence[Request] = ()
    store: Path | None = None
    clock: Clock = time.perf_counter_ns
    scenarios: Sequence[Scenario] = BOTH
    check: Check = _accept
    remote: bool = False


def measure(
    reranker: Reranker, requests: Sequence[Request], options: MeterOptions | None = None
) -> dict[str, Any]:
    """Measure a reranker on requests.

    Returns the following fields. A mode's figures are those of `single_stream`, with those of
    `offline` under "Offline" if that scenario is run.

    - "online": the figures with passages embedded in the call;
    - "cached": the figures with stored embeddings, for a system that caches them;
    - "usage": the mean of each counter per query;
    - "candidates": the mean list length;
    - "index_bytes_per_passage": bytes per stored embedding, or None;
    - "device": the name of the device, or None;
    - "harness": the single-stream figures of a reranker that does nothing.

    Raises ValueError if there is nothing to measure.
    """
    if not requests:
        raise ValueError("no test query has candidates: there is nothing to measure")
    options = options or MeterOptions()
    result: dict[str, Any] = {}
    if reranker.caches_passages:
        result["cached"] = _cached_mode(reranker, requests, options)
        reranker.forget()
    result["online"], rankings = _mode(reranker, requests, options)
    if options.remote:
        result["online"] |= {"memory": dict.fromkeys(result["online"]["memory"]), "joules": {}}
    total = asdict(sum((ranking.usage for ranking in rankings), Usage()))
    result["usage"] = {name: value / len(requests) for name, value in total.items()}
    result["candidates"] = sum(len(candidates) for _, candidates in requests) / len(requests)
    result["index_bytes_per_passage"] = reranker.bytes_per_passage
    result["device"] = device_name()
    result["harness"], _ = single_stream(null_rerank(requests), requests)
    return result


def _cached_mode(
    reranker: Reranker, requests: Sequence[Request], options: MeterOptions
) -> dict[str, Any]:
    """Store the embeddings of all passages, then return the cached mode's figures."""
    with tempfile.TemporaryDirectory() as folder:
        lists = (candidates for _, candidates in (*options.warmup, *requests))
        passages = [candidate.passage for candidates in lists for candidate in candidates]
        reranker.prepare(passages, options.store or Path(folder))
        figures, _ = _mode(reranker, requests, options)
    return figures


def _mode(
    reranker: Reranker, requests: Sequence[Request], options: MeterOptions
) -> tuple[dict[str, Any], list[Ranking]]:
    """Run the scenarios after a warm-up; return the figures and the checked rankings."""
    release_freed_memory()
    for query, candidates in options.warmup:
        reranker.rerank(query, candidates)
    figures, rankings = single_stream(reranker.rerank, requests, options.clock)
    if Scenario.OFFLINE in options.scenarios and not options.remote:
        figures[Scenario.OFFLINE] = offline(reranker, requests, options.clock)
    options.check(requests, rankings)
    return figures, rankings
