"""What a query costs in time: one at a time, warmed up, on a monotonic clock.

MLPerf's SingleStream scenario. A system that can cache passage embeddings is timed twice, so that
their encoding is never hidden: `online` encodes them within the timed call, `cached` does not.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from resrank.records import Usage
from resrank.reranker import CachesPassages, Request, Reranker

Clock = Callable[[], int]


def measure(
    reranker: Reranker,
    requests: Sequence[Request],
    warmup: Sequence[Request],
    store: Path | None = None,
    clock: Clock = time.perf_counter_ns,
) -> dict[str, Any]:
    """Time `reranker.rerank` on each request; `store` holds embeddings for the cached mode.

    Returns {"online": timing, "cached": timing (only for a system that can cache), "usage": mean
    of each counter a query, "candidates": mean list length}; a timing is {"samples_ms", "p50_ms",
    "p95_ms"}. Raises ValueError if there is nothing to time.
    """
    if not requests:
        raise ValueError("no test query has candidates: there is nothing to measure")
    result: dict[str, Any] = {}
    if isinstance(reranker, CachesPassages):
        with tempfile.TemporaryDirectory() as folder:
            listed = [c.passage for _, found in (*warmup, *requests) for c in found]
            reranker.prepare(listed, store or Path(folder))
            result["cached"], _ = _time(reranker, requests, warmup, clock, "timing, cached")
        reranker.forget()
    result["online"], usages = _time(reranker, requests, warmup, clock, "timing, online")
    total = asdict(sum(usages, Usage()))
    result["usage"] = {name: value / len(requests) for name, value in total.items()}
    result["candidates"] = sum(len(found) for _, found in requests) / len(requests)
    return result


def _time(
    reranker: Reranker,
    requests: Sequence[Request],
    warmup: Sequence[Request],
    clock: Clock,
    label: str,
) -> tuple[dict[str, Any], list[Usage]]:
    for query, candidates in warmup:
        reranker.rerank(query, candidates)
    samples: list[float] = []
    usages: list[Usage] = []
    for query, candidates in tqdm(requests, desc=label, unit="query"):
        _synchronise()
        start = clock()
        ranking = reranker.rerank(query, candidates)
        _synchronise()
        samples.append((clock() - start) / 1e6)
        usages.append(ranking.usage)
    return summarise(samples), usages


def summarise(samples_ms: Sequence[float]) -> dict[str, Any]:
    """The samples in milliseconds with their median and 95th percentile (linear interpolation)."""
    p50, p95 = np.percentile(samples_ms, [50, 95])
    return {"samples_ms": list(samples_ms), "p50_ms": float(p50), "p95_ms": float(p95)}


def _synchronise() -> None:
    """Wait for the device, if one is in use: a kernel launch returns before its work is done."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()
