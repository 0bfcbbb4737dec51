"""The measure job: time a system on a sample of the test queries."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from resrank.check_ranking import verify
from resrank.io.environment import environment
from resrank.io.manifest import write_checked_json, write_manifest
from resrank.jobs.inputs import RankingJob, in_sample_order, load
from resrank.ranking import Request
from resrank.reranker import Reranker
from resrank.suite.schema import Measurement


@dataclass(frozen=True, kw_only=True)
class MeasureJob(RankingJob):
    """A measurement of what a system's queries cost.

    store: passage embeddings for the cached mode; a temporary folder if None.
    run: the system's run, beside which an endpoint's answers and their times were recorded.
    """

    measurement: Measurement
    seed: int = 0
    model: Path | None = None
    store: Path | None = None
    run: Path | None = None

    def sample(self) -> tuple[list[Request], list[Request]]:
        """Return the requests to time and those to warm up with; queries without candidates
        are left out."""
        requests = in_sample_order(r for r in self.test_requests() if r[1])
        timed = requests[: self.measurement.queries]
        rest = requests[self.measurement.queries :] or timed
        return timed, rest[: self.measurement.warmup]


def measure(job: MeasureJob) -> None:
    """Measure a system on a sample of the test queries; write every sample to `out` (JSON)."""
    from resrank.efficiency.kernels import default_kernels, fix_workspace
    from resrank.efficiency.threads import limit_threads

    fix_workspace()
    threads = limit_threads(job.measurement.threads)
    reranker = load(job.system, job.model)
    timed, warmup = job.sample()
    recorded = reranker.recorded_clock(job.run)
    result = {
        "system": job.name,
        "seed": job.seed,
        "machine": environment()["machine"],
        "dtype": reranker.dtype,
        "threads": threads,
        "batch": 1,
        "timed": "recorded" if recorded else "here",
        "warmup": len(warmup),
        "query_ids": [query.id for query, _ in timed],
        **job.tokenizers(),
    }
    if not job.system.typed_options.is_replayed:  # a look-up's time is no model's
        with default_kernels():
            result |= _times(job, reranker, (timed, warmup), recorded)
    write_checked_json(job.out, result)
    write_manifest(
        job.out.with_suffix(".manifest.json"),
        inputs=job.inputs(job.model, job.system.typed_options.files),
        config={
            "system": job.system.model_dump(mode="json"),
            "measure": job.measurement.model_dump(mode="json"),
        },
        system=job.name,
        seed=job.seed,
        **job.model_files,
        outputs=[job.out],
    )


def _times(
    job: MeasureJob,
    reranker: Reranker,
    sample: tuple[Sequence[Request], Sequence[Request]],
    recorded: Any,
) -> dict[str, Any]:
    """Run the sample through the meter, by the recorded clock if there is one."""
    from resrank.efficiency.loadgen import Scenario
    from resrank.efficiency.meter import MeterOptions
    from resrank.efficiency.meter import measure as time_queries

    requests, warmup = sample
    options = MeterOptions(
        warmup=warmup,
        store=job.store,
        clock=recorded or time.perf_counter_ns,
        scenarios=[Scenario(name) for name in job.measurement.scenarios],
        check=partial(verify, job.name, reranker),
        remote=recorded is not None,
    )
    return time_queries(reranker, requests, options)
