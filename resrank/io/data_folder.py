"""The folder of downloads, shared by all suites."""

from __future__ import annotations

import os
from pathlib import Path

from resrank.io.atomic import NotWritable


def data_folder() -> Path:
    """Return the folder of downloads, which all suites of this user share."""
    named = os.environ.get("RESRANK_DATA")
    return Path(named) if named else Path.home() / ".cache" / "resrank"


def make_folder(folder: Path) -> None:
    """Make a folder of downloads. Raises NotWritable, with what to do, if that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritable(
            f"cannot write {folder}: {os.strerror(error.errno or 0)}; name a folder that can be "
            "written, and has room for downloads, in RESRANK_DATA"
        ) from error
