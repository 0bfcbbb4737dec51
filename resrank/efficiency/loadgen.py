"""MLPerf's LoadGen as the driver: it issues the queries (Reddi et al., ISCA 2020)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any


class Scenario(StrEnum):
    """MLPerf's names of how queries come."""

    SINGLE_STREAM = "SingleStream"  # the next one when the last one is answered
    OFFLINE = "Offline"  # all at once


# What LoadGen's own clock found: its names and ours.
RESULTS = {
    "result_50.00_percentile_latency_ns": "p50_ns",
    "result_95.00_percentile_latency_ns": "p95_ns",
    "result_99.00_percentile_latency_ns": "p99_ns",
    "result_samples_per_second": "queries_per_second",
}


def drive(
    scenario: Scenario, queries: int, serve: Callable[[Sequence[int]], None]
) -> dict[str, Any]:
    """Have each of `queries` queries issued once, in LoadGen's order.

    serve: answers the queries of these numbers; what it raises ends the run. Returns what LoadGen
    measured: nanoseconds of latency, or queries a second; and its version.
    """
    import mlperf_loadgen as loadgen

    failed: list[BaseException] = []

    def issue(samples: Sequence[Any]) -> None:
        try:
            if not failed:
                serve([sample.index for sample in samples])
        except BaseException as error:  # LoadGen's threads do not survive one that passes them
            failed.append(error)
        done = [loadgen.QuerySampleResponse(sample.id, 0, 0) for sample in samples]
        loadgen.QuerySamplesComplete(done)

    system = loadgen.ConstructSUT(issue, lambda: None)
    library = loadgen.ConstructQSL(queries, queries, lambda _: None, lambda _: None)
    try:
        with tempfile.TemporaryDirectory() as folder:
            wanted = _settings(loadgen, scenario, queries)
            audit = str(Path(folder) / "none.config")  # none: not one that lies about here
            loadgen.StartTestWithLogSettings(system, library, wanted, _log(loadgen, folder), audit)
            found = _results(Path(folder) / "mlperf_log_detail.txt")
    finally:
        loadgen.DestroyQSL(library)
        loadgen.DestroySUT(system)
    if failed:
        raise failed[0]
    return found


def _settings(loadgen: Any, scenario: Scenario, queries: int) -> Any:
    settings = loadgen.TestSettings()
    # LoadGen has its scenarios as attributes, by the same names as ours.
    settings.scenario = getattr(loadgen.TestScenario, scenario)
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_query_count = settings.max_query_count = queries
    settings.min_duration_ms = 0  # a submission runs for minutes; nothing is submitted here
    settings.performance_issue_unique = True
    return settings


def _log(loadgen: Any, folder: str) -> Any:
    log = loadgen.LogSettings()
    log.log_output.outdir = folder
    log.log_output.copy_summary_to_stdout = False
    log.enable_trace = False
    return log


def _results(detail: Path) -> dict[str, Any]:
    """What LoadGen's log of details says, a JSON object a line behind a mark."""
    lines = detail.read_text("utf-8").splitlines()
    rows = [json.loads(line.partition(" ")[2]) for line in lines if line.startswith(":::MLLOG")]
    said = {row["key"]: row["value"] for row in rows}
    found = {ours: said[theirs] for theirs, ours in RESULTS.items() if theirs in said}
    return found | {"version": str(said["loadgen_version"])}
