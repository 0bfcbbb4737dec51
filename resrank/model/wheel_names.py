"""Names of model files that Python wheels contain: `pypi:<package>==<version>#<file>`.

A wheel is pinned by its SHA-256: in `config/wheels.yaml`, or at the end of the name, as
`#sha256=<64 hexadecimal digits>`. Nothing here fetches anything or needs torch.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

import yaml
from pydantic import Field

from resrank.io.shipped_files import shipped
from resrank.options import Strict

WHEEL = "pypi:"
FORM = re.compile(
    r"pypi:(?P<package>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)"
    r"#(?P<file>[^#]+)(?:#sha256=(?P<sha256>[0-9a-f]{64}))?"
)


class ListedWheel(Strict):
    """A model file in a wheel, as `config/wheels.yaml` describes it."""

    source: str = Field(description="The model and where it is described.")
    licence: str = Field(description="Licence of the weights, as an SPDX identifier.")
    quantised: str | None = Field(None, description="Type of the quantised weights, if any.")
    bytes: int = Field(gt=0, description="Size of the wheel, which is downloaded.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the wheel.")
    file_bytes: int = Field(gt=0, description="Size of the file in the wheel.")
    file_sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of that file.")
    shape: str = Field(description="The entry of architectures.yaml that has its shape.")


class WheelFile(NamedTuple):
    """A file in a wheel. file: its path in the wheel, or the end of that path."""

    package: str
    version: str
    file: str
    sha256: str

    @property
    def requirement(self) -> str:
        """Return the wheel as pip names it."""
        return f"{self.package}=={self.version}"


@cache
def listed_wheels() -> dict[str, ListedWheel]:
    """Return the wheels of `config/wheels.yaml`, by name."""
    entries = yaml.safe_load(shipped("wheels.yaml").read_text("utf-8"))["wheels"]
    return {name: ListedWheel.model_validate(entry) for name, entry in entries.items()}


def parse_wheel(name: str) -> WheelFile:
    """Return the parts of a wheel's name.

    Raises ValueError if it has another form, or if neither the name nor the list pins the wheel.
    """
    match = FORM.fullmatch(name)
    if match is None:
        raise ValueError(
            f"{name!r} does not name a file in a wheel; the form is "
            "pypi:<package>==<version>#<file>, and #sha256=<64 lower-case hexadecimal digits> "
            "behind it for a wheel that config/wheels.yaml does not list"
        )
    listed = listed_wheels().get(name.partition("#sha256=")[0])
    if listed is not None and match["sha256"] not in (None, listed.sha256):
        raise ValueError(
            f"{name!r} is pinned by another SHA-256 than config/wheels.yaml has for this wheel, "
            f"{listed.sha256}; leave the pin out, or correct it"
        )
    sha256 = match["sha256"] or (listed.sha256 if listed else None)
    if sha256 is None:
        raise ValueError(
            f"{name!r} is not pinned: run `pip download --no-deps {match['package']}=="
            f"{match['version']}` and `sha256sum` on the wheel, then write {name}#sha256=<the "
            f"digest>. Wheels that need no pin: {', '.join(listed_wheels())}"
        )
    return WheelFile(match["package"], match["version"], match["file"], sha256)
