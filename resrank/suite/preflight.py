"""Checks before a suite's first job: devices, saved models, files dated in the future."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from resrank.io.shipped_files import CONFIG_DIR
from resrank.io.yaml import ConfigError, read_yaml
from resrank.options import texts_in
from resrank.suite.resolved import Resolved
from resrank.suite.used_systems import with_fused

SKEW = 60.0  # seconds that a file server's clock may be ahead
OLD = 86_400.0  # a day of 1970; Snakemake takes 0 for a missing date


def check_devices(resolved: Resolved) -> None:
    """Raise ConfigError if a device that a system or a first stage names is not on this machine.

    torch is imported, which takes seconds, only where a suite names a device.
    """
    stages = {name: spec.model_dump() for name, spec in resolved.first_stages.items()}
    compared = {stage for _, stage in resolved.pairs}
    used = {stage: stages[stage] for stage in with_fused(resolved.first_stages, compared)}
    entries: list[tuple[str, Mapping[str, Any]]] = [
        *((f"first stage {name!r}", entry) for name, entry in sorted(used.items())),
        *(
            (f"system {name!r}", resolved.systems[name].model_dump())
            for name in sorted({*resolved.suite.systems, *resolved.trained, *resolved.teachers})
        ),
    ]
    for owner, entry in entries:
        for setting, device in _devices(entry):
            _check_device(owner, setting, device)


def _check_device(owner: str, setting: str, device: str) -> None:
    from resrank.model.device import pick_device

    try:
        pick_device(device)
    except ValueError as error:
        raise ConfigError(f"{owner}, {setting}: {error}") from error


def _devices(entry: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Yield (setting, device) of every device that an entry names, except 'auto' and 'cpu'."""
    for key, value in entry.items():
        if isinstance(value, Mapping):
            yield from _devices(value, f"{above}{key}.")
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, Mapping):
                    yield from _devices(item, f"{above}{key}.")
        elif key == "device" and value not in (None, "auto", "cpu"):
            yield f"{above}{key}", str(value)


def date_back(folder: Path) -> list[Path]:
    """Give files under `folder` with a date in the future an old date; return these files.

    A clock that was ahead dated them. They would look newer than data that is edited now, and
    Snakemake would skip its jobs. With an old date, Snakemake compares the content of the inputs.
    """
    limit = time.time() + SKEW  # noqa: TID251 - dates of files are by this clock
    dated = []
    for path in _under(folder):
        with suppress(FileNotFoundError):  # another run has taken it away meanwhile
            if path.lstat().st_mtime > limit:
                os.utime(path, (OLD, OLD), follow_symlinks=False)
                dated.append(path)
    return sorted(dated)


def _under(folder: Path) -> Iterator[Path]:
    """Yield all folders and files below; unlike `rglob`, `walk` tolerates one that vanishes."""
    for above, folders, files in os.walk(folder):
        yield from (Path(above, name) for name in (*folders, *files))


FOLDER = re.compile(r"results/(?P<suite>[^/]+)/models/[^/]+/seed\d+")


def check_models(resolved: Resolved) -> None:
    """Raise ConfigError if a model under results/ is missing, with the command that makes it."""
    stages = {stage for _, stage in resolved.pairs}
    below = {name for stage in stages for name in resolved.used_by_stage(stage)}
    needed = sorted({*resolved.suite.systems, *resolved.trained, *resolved.teachers, *below})
    entries = [resolved.systems[name].options for name in needed]
    entries += [
        resolved.first_stages[stage].model_dump()
        for stage in sorted(with_fused(resolved.first_stages, stages))
    ]
    for text in texts_in(entries):
        if FOLDER.match(text) and not Path(text).is_dir():
            raise ConfigError(f"no model {text}; {how_to_make(text)}")


def how_to_make(model: str) -> str:
    """Return what to do about a model's folder that is not here."""
    result = FOLDER.match(model)
    if result is None:
        return f"paths are relative to {Path.cwd()}"
    return (
        f"the suite {result['suite']!r} trains it: run `snakemake --cores 2 all --configfile "
        f"{_file_of(result['suite'])}` first"
    )


def _file_of(suite: str) -> str:
    """Return the shipped file of a suite, or a description of the user's file."""
    shipped = [p for p in CONFIG_DIR.glob("*.yaml") if read_yaml(p).get("name") == suite]
    return f"config/{shipped[0].name}" if shipped else f"<the file that says `name: {suite}`>"
