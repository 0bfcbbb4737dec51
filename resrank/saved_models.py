"""Models that another suite has trained, named by their folder: is each there, and who makes it?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from resrank.suite import CONFIG_DIR, ConfigError, Resolved
from resrank.typed_yaml import read_yaml

FOLDER = re.compile(r"results/(?P<suite>[^/]+)/models/[^/]+/seed\d+")


def check_models(resolved: Resolved) -> None:
    """Raise ConfigError if a model under results/ is not there, with the command that makes it."""
    stages = {stage for _, stage in resolved.pairs}
    below = {part for stage in stages for part in resolved.stage_parts(stage)}
    needed = sorted({*resolved.suite.systems, *resolved.trained, *below})
    entries = [resolved.systems[name].options for name in needed]
    entries += [
        resolved.first_stages[stage].model_dump() for stage in sorted(_below(resolved, stages))
    ]
    for text in _texts(entries):
        found = FOLDER.match(text)
        if found and not Path(text).is_dir():
            raise ConfigError(
                f"no model {text}; the suite {found['suite']!r} trains it: run `snakemake "
                f"--cores 2 all --configfile {_file_of(found['suite'])}` first"
            )


def _below(resolved: Resolved, stages: set[str]) -> set[str]:
    """First stages with those that they fuse."""
    fused = [resolved.first_stages[name] for name in stages]
    return stages | {part for spec in fused if spec.kind == "fusion" for part in spec.of}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _file_of(suite: str) -> str:
    """The shipped file of a suite, or a name for the user's own."""
    shipped = [p for p in CONFIG_DIR.glob("*.yaml") if read_yaml(p).get("name") == suite]
    return f"config/{shipped[0].name}" if shipped else f"<the file that says `name: {suite}`>"
