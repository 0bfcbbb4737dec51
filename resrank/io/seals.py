"""Files that hold their own SHA-256, so that a flipped byte is noticed before anything is read.

It is computed with zeros in its own place, and stands under the key `SEAL` in JSON, in the header
of safetensors, in parquet's metadata: one form for all of them, and other tools read on. A file
without it, a user's own or an older one, is read as it is.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

SEAL = "SHA-256 with zeros here"
BLANK = "0" * 64
# What stands between the key and the hash: in JSON; in parquet, as Thrift writes a text of 64.
PLACE = re.compile(SEAL.encode() + rb'(?:": ?"|\x18@)([0-9a-f]{64})')
EDGE = 1 << 20  # bytes at either end of a file in which a seal stands
AGAIN = "delete it, and the job that makes it runs again"


class Damaged(ValueError):
    """A file that is not as it was written; names it and says what to do."""

    def __init__(self, path: Path, said: object, advice: str = AGAIN) -> None:
        super().__init__(f"{path} is damaged ({said}); {advice}")


def seal(path: Path) -> None:
    """Put the hash of a file that was written with `BLANK` under `SEAL` into its place."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        place = _place(data)
        assert place is not None, f"{path} has no place for a seal"
        data[place] = _digest(data, place)


def sealed_line(row: Mapping[str, Any]) -> str:
    """An object as a line of JSON that holds its own hash, which `read_line` checks."""
    data = _line({SEAL: BLANK, **row})
    place = _place(data)
    assert place is not None
    return (data[: place.start] + _digest(data, place) + data[place.stop :]).decode() + "\n"


def read_line(line: str | bytes, path: Path, number: int, advice: str) -> dict[str, Any]:
    """A line's object. Raises Damaged if it is none, or not the one that was sealed."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict) or not is_whole_row(row):
        raise Damaged(path, f"line {number} is not as it was written", advice)
    return row


def is_whole_row(row: Mapping[str, Any]) -> bool:
    """Whether a line's object is the one that was sealed; also if it states no hash."""
    return SEAL not in row or is_whole(_line(row))


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=True).encode()


def check(path: Path, advice: str = AGAIN) -> None:
    """Raise Damaged if a file's hash is another than the one that it states."""
    about = path.stat()
    if about.st_size and not _whole(path, about.st_mtime_ns, about.st_size):
        raise Damaged(path, "its SHA-256 is another than the one that it states", advice)


@cache
def _whole(path: Path, changed: int, size: int) -> bool:
    """Looked at once a process, unless the file changed."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return is_whole(data)


def is_whole(data: bytes | mmap.mmap) -> bool:
    """Whether bytes are those that were sealed; also if they state no hash."""
    place = _place(data)
    return place is None or data[place] == _digest(data, place)


def _place(data: bytes | mmap.mmap) -> slice | None:
    """Where the seal stands: the last one at the end, as in parquet, or the first one in front."""
    found = [*PLACE.finditer(data, max(0, len(data) - EDGE))][-1:]
    found = found or [*PLACE.finditer(data, 0, EDGE)][:1]
    return slice(*found[0].span(1)) if found else None


def _digest(data: bytes | mmap.mmap, place: slice) -> bytes:
    with memoryview(data) as view:
        digest = hashlib.sha256(view[: place.start])
        digest.update(BLANK.encode())
        digest.update(view[place.stop :])
    return digest.hexdigest().encode()


def read_sealed(path: Path, advice: str = AGAIN) -> Any:
    """What `files.write_sealed` wrote, or any JSON file. Damaged if it is not as it was written."""
    check(path, advice)
    try:
        value = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Damaged(path, error, advice) from error
    if isinstance(value, dict):
        value.pop(SEAL, None)
    return value
