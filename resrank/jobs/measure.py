"""The measure job: time a system on a sample of the test queries."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from resrank.check_ranking import verify
from resrank.io.collection import Collection
from resrank.io.environment import environment
from resrank.io.manifest import write_checked_json, write_manifest
from resrank.jobs.inputs import in_sample_order, inputs_of, load, test_requests
from resrank.suite.schema import Measurement, System


def measure(
    collection: Collection, candidates: Path, name: str, spec: System, seed: int,
    model: Path | None, how: Measurement, store: Path | None, parts: Sequence[Path], out: Path,
    run: Path | None = None,
) -> None:  # fmt: skip
    """Measure a system on a sample of the test queries; keep every sample.

    store: where passage embeddings are taken from for the cached mode; a temporary one if None.
    run: the system's own, beside which an endpoint's answers and their times were recorded.
    """
    from resrank.efficiency.loadgen import Scenario
    from resrank.efficiency.meter import measure as time_queries
    from resrank.efficiency.threads import limit_threads

    threads = limit_threads(how.threads)
    reranker = load(spec, model)
    requests = in_sample_order(r for r in test_requests(collection, candidates) if r[1])
    sample = requests[: how.queries]
    warmup = (requests[how.queries :] or sample)[: how.warmup]
    recorded = reranker.recorded_clock(run)
    result = {
        "system": name,
        "seed": seed,
        "machine": environment()["machine"],
        "dtype": reranker.dtype,
        "threads": threads,
        "batch": 1,
        "timed": "recorded" if recorded else "here",
        "warmup": len(warmup),
        "query_ids": [query.id for query, _ in sample],
    }
    times: dict[str, Any] = {}
    if not spec.typed_options.is_replayed:  # a look-up's time is no model's
        scenarios = [Scenario(wanted) for wanted in how.scenarios]
        check = partial(verify, name, reranker)
        elsewhere = recorded is not None
        times = time_queries(
            reranker, sample, warmup, store, recorded or time.perf_counter_ns,
            scenarios=scenarios, check=check, elsewhere=elsewhere,
        )  # fmt: skip
    write_checked_json(out, result | times)
    write_manifest(
        out.with_suffix(".manifest.json"),
        inputs=inputs_of(collection, candidates, parts, model, spec.typed_options.files),
        config={"system": spec.model_dump(mode="json"), "measure": how.model_dump(mode="json")},
        system=name,
        seed=seed,
        outputs=[out],
    )
