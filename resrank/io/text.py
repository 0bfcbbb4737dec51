"""Read text lines and JSON lines from outside, bounded and numbered."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any

from resrank.options import short_repr

LONGEST = 2**26  # characters; a longer line may come from a few compressed bytes


def numbered(file: IO[str], path: Path, error: type[ValueError]) -> Iterator[tuple[int, str]]:
    """Yield (line number, line). Raises `error`, with the file's name, at a line over LONGEST."""
    for number, line in enumerate(iter(lambda: file.readline(LONGEST), ""), start=1):
        if len(line) == LONGEST:
            raise error(
                f"{path}:{number}: a line of {LONGEST:,} characters or more; one record per "
                "line is needed"
            )
        yield number, line


class DataError(ValueError):
    """Unusable input. The message names the file, the line, the value and what is allowed."""


UNREADABLE_FILE = (OSError, EOFError, zlib.error)
"""What reading a file raises if it is missing, protected or damaged."""
JSON_NAMES = {type(None): "null", bool: "true or false", float: "a number", list: "a list",
              dict: "an object"}  # fmt: skip


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object). Blank lines are skipped."""
    with reading(path) as file:
        for number, line in numbered(file, path, DataError):
            if line.strip():
                yield number, json_object(line, path, number)


@contextmanager
def reading(path: Path) -> Iterator[IO[str]]:
    """Open a text file, plain or gzip. Raises DataError if that is impossible."""
    try:
        with open_text(path) as file:
            yield file
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason})") from error
    except UNREADABLE_FILE as error:
        raise DataError(f"cannot read {path}: {reason_of(error)}") from error


def open_text(path: Path) -> IO[str]:
    """Open a file's text without its byte order mark, unpacked if it is gzip."""
    if is_gzip(path):
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def open_bytes(path: Path) -> BufferedIOBase:
    """Open a file's bytes, unpacked if it is gzip."""
    return gzip.open(path, "rb") if is_gzip(path) else path.open("rb")


def is_gzip(path: Path) -> bool:
    """Return whether a file is gzip, by its first two bytes; its name does not count."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def reason_of(error: BaseException) -> str:
    """Return why a file could not be read."""
    return str((error.strerror if isinstance(error, OSError) else None) or error)


def plain_or_gzip(path: Path) -> Path:
    """Return the path, or that of `<path>.gz` where only this file exists."""
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.is_file() and not path.is_file() else path


def text_field(row: dict[str, Any], name: str, where: str, default: str | None = None) -> str:
    """Return a field that must hold text; an integer counts as its digits."""
    value = row.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        kind = "missing" if name not in row else JSON_NAMES.get(type(value), "not text")
        raise DataError(f"{where}: field {name!r} is {kind}; text is needed")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: field {name!r} holds half a character ({error})") from error
    return value


def optional_text(row: dict[str, Any], name: str, where: str) -> str:
    """Return a field that holds text, or "" if it is missing or null."""
    return "" if row.get(name) is None else text_field(row, name, where)


def id_field(row: dict[str, Any], name: str, where: str) -> str:
    """Return a field that must hold an id: text that fits in a TREC file's column."""
    value = text_field(row, name, where)
    if not value or value != value.strip() or any(c in value for c in "\t\r\n\0"):
        raise DataError(
            f"{where}: field {name!r} is {short_repr(value)}; an id must not be empty, begin or "
            "end with white space, or hold a tab, a line break or a NUL"
        )
    return value


def query_id_field(row: dict[str, Any], name: str, where: str) -> str:
    """Return a field that must hold a query's id, with which a line of a TREC file begins."""
    value = id_field(row, name, where)
    if value.startswith("#"):
        raise DataError(
            f"{where}: the query id {short_repr(value)} begins with '#'; TREC tools would take its "
            "lines for comments: give it another id"
        )
    return value


def json_object(line: str, path: Path, number: int) -> dict[str, Any]:
    """Return a line's JSON object. Raises DataError, which names the file and the line."""
    value = parsed(line, f"{path}:{number}")
    if not isinstance(value, dict):
        raise DataError(f"{path}:{number}: a JSON object is needed, found {type(value).__name__}")
    return value


def parsed(text: str, where: str) -> Any:
    """Return the value of a JSON text. Raises DataError, which names the place."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}"
        raise DataError(f"{where}: not valid JSON: {error.msg} ({place})") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; too deep
        raise DataError(f"{where}: not valid JSON: {error}") from error


def repeated(ids: Iterable[str]) -> str | None:
    """Return the first id that occurs a second time, if any."""
    seen: set[str] = set()
    for item in ids:
        if item in seen:
            return item
        seen.add(item)
    return None
