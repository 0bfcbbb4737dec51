"""The merged suite: a file that the workflow writes and its jobs read.

Snakemake merges a suite from `--configfile` and `--config`, and a library entry may be edited while
jobs run. So the workflow writes the merged suite, with every library entry that it uses, to
`results/<suite>/suite.yaml` before the first job. No job has the file as an input, so its date
reruns nothing. A job's `params` hold what the job depends on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from resrank.io.atomic import write_text
from resrank.io.manifest import read_checked_json
from resrank.suite.library import library
from resrank.suite.load import load_suite
from resrank.suite.paths import Paths
from resrank.suite.plan import Plan
from resrank.suite.resolved import Resolved
from resrank.suite.schema import Definitions

HEADER = "# Written by the workflow for its jobs; edit the suite's file instead.\n"


def merged_text(plan: Plan) -> str:
    """Return a plan's suite as YAML, with every entry that it uses."""
    return HEADER + yaml.safe_dump(_merged(plan), sort_keys=False, allow_unicode=True)


def merged_hash(plan: Plan) -> str:
    """Return a hash of `merged_text`, for the params of jobs that read the whole suite."""
    return hashlib.sha256(merged_text(plan).encode()).hexdigest()[:16]


def write_merged(plan: Plan) -> None:
    """Write the suite for its jobs, unless the file already holds it."""
    text, path = merged_text(plan), Path(plan.suite_file)
    if not path.is_file() or path.read_text("utf-8") != text:
        write_text(path, text)


def load_merged(path: Path) -> Resolved:
    """Load the suite of a job: the merged one, or a user's file for a job started by hand.

    Optional collections are left out if they could not be fetched, according to
    results/<suite>/fetched.
    """
    complete = path.is_file() and path.read_text("utf-8").startswith(HEADER)
    definitions = Definitions() if complete else library()
    resolved = load_suite(path, definitions=definitions)
    absent = read_absent(resolved)
    return load_suite(path, absent, definitions) if absent else resolved


def read_absent(resolved: Resolved) -> dict[str, str]:
    """Return the optional collections that could not be fetched, each with the reason."""
    paths = Paths(f"results/{resolved.suite.name}")
    files = {name: Path(paths.fetch_completion(name)) for name in resolved.maybe_unavailable}
    reasons = {name: read_checked_json(m)["absent"] for name, m in files.items() if m.is_file()}
    return {name: reason for name, reason in reasons.items() if reason}


def _merged(plan: Plan) -> dict[str, Any]:
    """Return the given suite, its definitions extended by the library entries that it uses."""
    resolved, suite, entries = plan.suite, plan.suite.given, library()
    stages = {stage for _, stage in resolved.pairs}
    stages |= {resolved.systems[name].trained_with for name in resolved.trained}
    for stage in list(stages):
        stages |= set(plan.fused("", stage))
    collections = {*suite.collections, *resolved.only_learned_from}
    define = Definitions(
        collections=_among(entries.collections | suite.define.collections, collections),
        first_stages=_among(entries.first_stages | suite.define.first_stages, stages),
        systems=_among(entries.systems | suite.define.systems, set(resolved.systems)),
    )
    whole = suite.model_copy(update={"define": define})
    return whole.model_dump(mode="json", exclude_unset=True)


def _among(entries: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: entry for name, entry in entries.items() if name in names}
