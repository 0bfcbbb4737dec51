"""MLPerf's LoadGen (Reddi et al., ISCA 2020, section IV), which issues the queries."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any


class Scenario(StrEnum):
    """MLPerf's names of the ways in which queries arrive."""

    SINGLE_STREAM = "SingleStream"  # each query when the previous one is answered
    OFFLINE = "Offline"  # all queries at once


RESULTS = {
    "result_50.00_percentile_latency_ns": "p50_ns",
    "result_95.00_percentile_latency_ns": "p95_ns",
    "result_99.00_percentile_latency_ns": "p99_ns",
    "result_samples_per_second": "queries_per_second",
}
"""LoadGen's names of its measurements -> ours."""


def drive(
    scenario: Scenario, queries: int, serve: Callable[[Sequence[int]], None]
) -> dict[str, Any]:
    """Have LoadGen issue each of `queries` queries once, in its order.

    serve: answers the queries with these numbers. An error that it raises is raised here, and no
    query is served after it. Returns LoadGen's measurements, in nanoseconds of latency or queries
    per second, and its version.
    """
    import mlperf_loadgen as loadgen

    failed: list[BaseException] = []

    def issue(samples: Sequence[Any]) -> None:
        try:
            if not failed:
                serve([sample.index for sample in samples])
        except BaseException as error:  # An error would kill LoadGen's threads.
            failed.append(error)
        done = [loadgen.QuerySampleResponse(sample.id, 0, 0) for sample in samples]
        loadgen.QuerySamplesComplete(done)

    system = loadgen.ConstructSUT(issue, lambda: None)
    library = loadgen.ConstructQSL(queries, queries, lambda _: None, lambda _: None)
    try:
        with tempfile.TemporaryDirectory() as folder:
            wanted = _settings(loadgen, scenario, queries)
            # LoadGen then ignores an `audit.config` in the current folder.
            audit = str(Path(folder) / "none.config")
            loadgen.StartTestWithLogSettings(system, library, wanted, _log(loadgen, folder), audit)
            measurements = _results(Path(folder) / "mlperf_log_detail.txt")
    finally:
        loadgen.DestroyQSL(library)
        loadgen.DestroySUT(system)
    if failed:
        raise failed[0]
    return measurements


def _settings(loadgen: Any, scenario: Scenario, queries: int) -> Any:
    settings = loadgen.TestSettings()
    # LoadGen has its scenarios as attributes, by the same names as ours.
    settings.scenario = getattr(loadgen.TestScenario, scenario)
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_query_count = settings.max_query_count = queries
    settings.min_duration_ms = 0  # Only a submission to MLPerf must run for minutes.
    settings.performance_issue_unique = True
    return settings


def _log(loadgen: Any, folder: str) -> Any:
    log = loadgen.LogSettings()
    log.log_output.outdir = folder
    log.log_output.copy_summary_to_stdout = False
    log.enable_trace = False
    return log


def _results(detail: Path) -> dict[str, Any]:
    """Read LoadGen's detailed log: each line with its mark holds a JSON object."""
    lines = detail.read_text("utf-8").splitlines()
    rows = [json.loads(line.partition(" ")[2]) for line in lines if line.startswith(":::MLLOG")]
    values = {row["key"]: row["value"] for row in rows}
    measurements = {ours: values[theirs] for theirs, ours in RESULTS.items() if theirs in values}
    return measurements | {"version": str(values["loadgen_version"])}
