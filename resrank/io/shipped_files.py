"""The files of config/, which come with a clone of the repository."""

from __future__ import annotations

from pathlib import Path

CONFIG_DIR = Path(__file__).resolve().parents[2] / "config"


def shipped(name: str) -> Path:
    """Return a file or folder of config/.

    Raises FileNotFoundError, which says what to do, if this installation has none.
    """
    path = CONFIG_DIR / name
    if not path.exists():
        raise FileNotFoundError(
            f"no {path}: this installation of resrank lacks config/, the library of suites; clone "
            "the repository and install it from there: pip install -c constraints.txt -e ."
        )
    return path
