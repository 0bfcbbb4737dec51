"""The folder of downloads, shared by all suites."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """Return the folder of downloads, which all suites of this user share."""
    named = os.environ.get("RESRANK_DATA")
    return Path(named) if named else Path.home() / ".cache" / "resrank"
