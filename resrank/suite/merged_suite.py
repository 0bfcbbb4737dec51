"""The merged suite: a file that the workflow writes and its jobs read.

Snakemake merges a suite from `--configfile` and `--config`, and a library entry may be edited while
jobs run. So the workflow writes the merged suite, with every library entry that it uses, to
`results/<suite>/suite.yaml` before the first job. The file also lists the optional collections that
are skipped or still to be fetched: a job must not judge this by the state of its own machine.

No job has the file as an input, so its date reruns nothing. A job's `params` hold what the job
depends on. The file's first lines hold the SHA-256 of the rest. The workflow gives its jobs the
hash that it planned with in `RESRANK_SUITE_SHA256`, so that no job runs another suite.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from resrank.io.atomic import write_text
from resrank.io.manifest import Damaged, read_checked_json
from resrank.io.yaml import ConfigError, mapping
from resrank.suite.library import library
from resrank.suite.load import load_planned, load_suite, reason_to_skip, without
from resrank.suite.paths import Paths
from resrank.suite.plan import Plan
from resrank.suite.resolved import Resolved
from resrank.suite.schema import Definitions

VARIABLE = "RESRANK_SUITE_SHA256"
MADE_BY = "# Written by the workflow for its jobs; edit the suite's file instead."
HASH = "# SHA-256 of the lines below: "
HEADER = re.compile(rf"{re.escape(MADE_BY)}\n{re.escape(HASH)}([0-9a-f]{{64}})\n")
PLANNED = "planned"
AGAIN = "start Snakemake again, which rewrites it before its first job (not with --no-hooks)"


def merged_hash(plan: Plan) -> str:
    """Return a hash of the suite, for the params of jobs that read the whole of it.

    Which collections are still to be fetched does not count: that changes nothing in the results.
    """
    return _sha256(_as_yaml(_merged(plan)))[:16]


def planned_hash(plan: Plan) -> str:
    """Return the SHA-256 that the header of the plan's file holds."""
    return _sha256(_content(plan))


def write_merged(plan: Plan) -> None:
    """Write the suite for its jobs, unless the file already holds it."""
    content, path = _content(plan), Path(plan.suite_file)
    text = f"{MADE_BY}\n{HASH}{_sha256(content)}\n{content}"
    if not path.is_file() or path.read_bytes() != text.encode():
        write_text(path, text)


def load_merged(path: Path) -> Resolved:
    """Load the suite of a job: the merged one, or a user's file for a job started by hand.

    Optional collections are left out if they could not be fetched, according to
    results/<suite>/fetched. Raises Damaged for a damaged file, and ConfigError if the workflow has
    planned another suite than the file holds.
    """
    text = path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""
    content = _checked(path, text)
    if content is None:
        resolved = load_suite(path)
        absent = read_absent(resolved)
        return load_suite(path, absent) if absent else resolved
    suite = mapping(content, str(path))
    planned = suite.pop(PLANNED, {})
    resolved = load_planned(suite, str(path)).model_copy(
        update={"still_to_fetch": planned.get("still_to_fetch", [])}
    )
    skipped = dict(planned.get("skipped", {}))
    for name, reason in read_absent(resolved).items():
        skipped[name] = reason_to_skip(resolved, name, reason)
    return without(resolved, skipped)


def read_absent(resolved: Resolved) -> dict[str, str]:
    """Return the optional collections that could not be fetched, each with the reason."""
    paths = Paths(f"results/{resolved.suite.name}")
    files = {name: Path(paths.fetch_completion(name)) for name in resolved.maybe_unavailable}
    reasons = {name: read_checked_json(m)["absent"] for name, m in files.items() if m.is_file()}
    return {name: reason for name, reason in reasons.items() if reason}


def _checked(path: Path, text: str) -> str | None:
    """Return the content of a merged suite's file; None if the text is not one of these.

    A user's file is none. Where the workflow has planned a suite, only that one is accepted.
    """
    header = HEADER.match(text)
    expected = os.environ.get(VARIABLE)
    if header is None and expected is None and not (MADE_BY in text or HASH in text):
        return None
    if not text:
        raise ConfigError(f"no {path}, the suite that jobs read; {AGAIN}")
    content = text[header.end() :] if header else ""
    if header is None or _sha256(content) != header[1]:
        raise Damaged(path, "its SHA-256 differs", AGAIN)
    if expected not in (None, header[1]):
        raise ConfigError(
            f"{path} holds another suite than this run of Snakemake has planned: another run has "
            f"replaced it, or it is of an earlier one; {AGAIN}. Give two suites two names"
        )
    return content


def _content(plan: Plan) -> str:
    """Return what the file holds below its header."""
    state = {"skipped": plan.suite.skipped, "still_to_fetch": plan.suite.maybe_unavailable}
    planned = {name: value for name, value in state.items() if value}
    return _as_yaml(_merged(plan) | ({PLANNED: planned} if planned else {}))


def _as_yaml(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True)


def _merged(plan: Plan) -> dict[str, Any]:
    """Return the given suite, its definitions extended by the library entries that it uses."""
    resolved, suite, entries = plan.suite, plan.suite.given, library()
    learned_from = {name for system in resolved.systems for name in resolved.learns_from(system)}
    define = Definitions(
        collections=_among(
            entries.collections | suite.define.collections, {*suite.collections, *learned_from}
        ),
        first_stages=_among(
            entries.first_stages | suite.define.first_stages, set(resolved.needed_stages)
        ),
        systems=_among(entries.systems | suite.define.systems, set(resolved.systems)),
    )
    whole = suite.model_copy(update={"define": define})
    return whole.model_dump(mode="json", exclude_unset=True)


def _among(entries: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: entry for name, entry in entries.items() if name in names}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
