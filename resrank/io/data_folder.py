"""The folder of downloads, shared by all suites."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """Where downloads lie, shared by all suites of this user."""
    named = os.environ.get("RESRANK_DATA")
    return Path(named) if named else Path.home() / ".cache" / "resrank"
