"""What must hold before a suite's first job: its devices are here, no file is of the future."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from resrank.suite import ConfigError, Resolved

SKEW = 60.0  # seconds that a file server's clock may be ahead
OLD = 86_400.0  # a day of 1970; Snakemake takes 0 for no date at all


def check_devices(resolved: Resolved) -> None:
    """Raise ConfigError if a device that a system or a first stage names is not on this machine.

    Asks torch, which takes seconds, and only where a suite names a device.
    """
    stages = {name: spec.model_dump() for name, spec in resolved.first_stages.items()}
    used = {stage: stages[stage] for _, stage in resolved.pairs}
    entries: list[tuple[str, Mapping[str, Any]]] = [
        *((f"first stage {name!r}", entry) for name, entry in sorted(used.items())),
        *(
            (f"system {name!r}", resolved.systems[name].model_dump())
            for name in sorted({*resolved.suite.systems, *resolved.trained})
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
    """Every device that an entry names, but for 'auto' and 'cpu', with where it says so."""
    for key, value in entry.items():
        if isinstance(value, Mapping):
            yield from _devices(value, f"{above}{key}.")
        elif key == "device" and value not in (None, "auto", "cpu"):
            yield f"{above}{key}", str(value)


def date_back(folder: Path) -> list[Path]:
    """Give what is of the future under `folder` a date older than any input; returns what was.

    A clock that was ahead dated it. It would look newer than data that is edited now, whose jobs
    would be skipped; dated back, Snakemake looks at what its inputs hold.
    """
    limit = time.time() + SKEW  # noqa: TID251 - dates of files are by this clock
    found = []
    for path in _under(folder):
        with suppress(FileNotFoundError):  # another run has taken it away meanwhile
            if path.lstat().st_mtime > limit:
                os.utime(path, (OLD, OLD), follow_symlinks=False)
                found.append(path)
    return sorted(found)


def _under(folder: Path) -> Iterator[Path]:
    """All folders and files below; `walk`, unlike `rglob`, goes on where a folder vanishes."""
    for above, folders, files in os.walk(folder):
        yield from (Path(above, name) for name in (*folders, *files))
