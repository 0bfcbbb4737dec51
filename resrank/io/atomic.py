"""Write a file or folder completely, or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _umask() -> int:
    """Return the permissions that this user's files must not have."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


UMASK = _umask()  # read once, at import: reading it sets it for a moment, in every thread


class NoRoom(OSError):
    """A file that does not fit on its disk. The message names it and says what to do."""


@contextmanager
def room_for(path: Path, advice: str = "make room on that disk") -> Iterator[None]:
    """Turn the errors of a full disk, a quota or a file size limit into NoRoom."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise NoRoom(
            f"cannot write {path}: {os.strerror(error.errno)}; {advice}, and run again: nothing "
            "half-written is left"
        ) from error


class NotWritable(OSError):
    """A path that cannot be written. The message names it and says what to do."""


def check_writable(path: Path) -> Path:
    """Return the path, which need not exist. Raises NotWritable if it cannot be written."""
    place = path if path.is_dir() else path.parent
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise NotWritable(
            f"cannot write {path}: {os.strerror(error.errno or 0)}; make {place} writable, or "
            "start where there is a folder that is: nothing was begun"
        ) from error
    return path


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed to it only if the block raises no error.

    Raises NoRoom if the disk is full.
    """
    with room_for(path), _partial_file(path) as partial:
        yield partial


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`, which replaces it only if the block succeeds.

    Raises NoRoom if the disk is full.
    """
    with room_for(path), _partial_folder(path) as partial:
        yield partial


@contextmanager
def _partial_file(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o666 & ~UMASK)  # only its owner can read a temporary file
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _partial_folder(path: Path) -> Iterator[Path]:
    if path.is_file():
        raise FileExistsError(f"{path} is a file, but a folder is needed there; name another")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    try:
        yield partial
        for inner in (partial, *partial.rglob("*")):  # as safetensors writes its files
            inner.chmod((0o777 if inner.is_dir() else 0o666) & ~UMASK)
        if path.exists():
            shutil.rmtree(path)
        partial.replace(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file completely, or not at all."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file completely, or not at all. Keys are sorted: equal content, equal bytes."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    write_text(path, text + "\n")
