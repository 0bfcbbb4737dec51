"""Read the files of a saved ResRank, with errors that name a damaged or missing file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from resrank.io.manifest import Damaged, check_outputs, read_checked_json

AGAIN = "copy the folder again, or train again"
KEYS = {"format", "options", "encoder", "token_norm"}


def read_about(folder: Path, version: int) -> dict[str, Any]:
    """Return the content of `resrank.json`, after a check of every file in the folder.

    version: the format that the caller reads. Raises ValueError, which names the mistake.
    """
    path = folder / "resrank.json"
    if not path.is_file():
        raise ValueError(f"{folder} holds no ResRank model (no resrank.json)")
    about: dict[str, Any] = read_checked_json(path, AGAIN)
    if about.get("format", version) != version:
        raise ValueError(
            f"{folder}: saved in format {about['format']}, this version reads {version}; "
            "load it with the version of resrank that wrote it"
        )
    absent = sorted(KEYS - about.keys())
    if absent:
        raise Damaged(path, f"it has no {', '.join(absent)}", AGAIN)
    _check_weights(folder, ["reranker", *(["encoder"] if about["encoder"] == "encoder" else [])])
    check_outputs(path, AGAIN)
    return about


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return all tensors of a safetensors file. Raises ValueError if it is absent or damaged."""
    if not path.is_file():
        raise ValueError(f"{path.parent} is incomplete: it has no {path.name}; {AGAIN}")
    with _opened(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a safetensors file whose length matches its header."""
    try:
        with safe_open(path, "pt") as file:
            yield file
    except SafetensorError as error:
        raise Damaged(path, error, AGAIN) from error


def _check_weights(folder: Path, parts: list[str]) -> None:
    """Raise ValueError if a part lacks weights, or their lengths do not match their headers."""
    for part in parts:
        files = sorted((folder / part).glob("*.safetensors"))
        if not (folder / part / "config.json").is_file() or not files:
            raise ValueError(f"{folder} is incomplete: its {part}/ lacks weights; {AGAIN}")
        for path in files:
            with _opened(path):
                pass
