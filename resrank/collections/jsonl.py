"""JSON lines, one object each, streamed; what is wrong is named by file and line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class DataError(ValueError):
    """Input data that cannot be used; names the file, the line, what was found, what is allowed."""


JSON_NAMES = {type(None): "null", bool: "true or false", float: "a number", list: "a list",
              dict: "an object"}  # fmt: skip


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object). Blank lines are skipped."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, json_object(line, path, number)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error.reason})") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def text_field(row: dict[str, Any], name: str, where: str, default: str | None = None) -> str:
    """A field that must hold text (a number is taken as its digits)."""
    value = row.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        found = "missing" if name not in row else JSON_NAMES.get(type(value), "not text")
        raise DataError(f"{where}: field {name!r} is {found}; text is needed")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: field {name!r} holds half a character ({error})") from error
    return value


def id_field(row: dict[str, Any], name: str, where: str) -> str:
    """A field that must hold an id: text that survives a TREC file's columns."""
    value = text_field(row, name, where)
    if not value or value != value.strip() or any(c in value for c in "\t\r\n"):
        raise DataError(
            f"{where}: field {name!r} is {value!r}; an id must not be empty, begin or end with "
            "white space, or hold a tab or a line break"
        )
    return value


def json_object(line: str, path: Path, number: int) -> dict[str, Any]:
    """A line's object. DataError that names file and line if it is none."""
    try:
        value = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        said = str(error)
        if isinstance(error, json.JSONDecodeError):
            said = f"{error.msg} (column {error.colno})"
        raise DataError(f"{path}:{number}: not valid JSON: {said}") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}:{number}: a JSON object is needed, found {type(value).__name__}")
    return value
