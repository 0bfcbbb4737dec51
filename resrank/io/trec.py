"""Reading what the field exchanges: TREC runs and qrels, BEIR's qrels in tsv; gzip or plain."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any

from resrank.io.text import numbered
from resrank.options import short_repr

GREATEST = 1_000_000  # of a grade: trec_eval's memory for a query grows with its highest
METADATA_START, METADATA_END = "# ir_metadata.start", "# ir_metadata.end"
"""What a header of ir_metadata stands between, at a run's beginning."""


class TrecError(ValueError):
    """A run or qrels file that cannot be used; names the file and the line."""


def read_run(path: Path) -> dict[str, list[tuple[str, float]]]:
    """Each query's (passage id, score) in the file's order.

    A line with exactly five tabs is split on tabs, so that ids may hold spaces; any other on white
    space. What follows the sixth column is ignored, as by trec_eval. A header of ir_metadata, which
    `read_metadata` reads, is passed over.
    """
    run: dict[str, dict[str, float]] = {}
    for number, line in _ranked_lines(path):
        columns = line.split("\t") if line.count("\t") == 5 else line.split()
        if " " in line:  # otherwise there is nothing to strip
            columns = [column.strip() for column in columns]
        if len(columns) < 5 or not (columns[0] and columns[2]):
            found = f"{len(columns)} columns" if len(columns) < 5 else "an id is empty"
            raise TrecError(
                f"{path}:{number}: {found}; a run has 'query Q0 passage rank score tag'"
            )
        query_id, _, passage_id, _, score = columns[:5]
        listed = run.setdefault(query_id, {})
        if passage_id in listed:
            raise TrecError(
                f"{path}:{number}: passage {short_repr(passage_id)} occurs twice for query "
                f"{short_repr(query_id)}; "
                "a run lists each passage once a query"
            )
        listed[passage_id] = _score(score, path, number)
    if not run:
        raise TrecError(f"{path}: the run is empty")
    return {query_id: list(listed.items()) for query_id, listed in run.items()}


def read_metadata(path: Path) -> dict[str, Any]:
    """The header of ir_metadata that a run begins with; empty if it has none."""
    from resrank.io.yaml import mapping

    text = [line.removeprefix("#").removeprefix(" ") for line in _header(_lines(path), path)]
    return mapping("\n".join(text), str(path)) if any(map(str.strip, text)) else {}


def _ranked_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines below the header, if there is one."""
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        return
    if first[1].rstrip() == METADATA_START:
        list(_header(chain([first], lines), path))
    else:
        yield first
    yield from lines


def _header(lines: Iterator[tuple[int, str]], path: Path) -> Iterator[str]:
    """What stands between the marks; nothing, if the first line is not the first mark."""
    if next(lines, (0, ""))[1].rstrip() != METADATA_START:
        return
    for number, line in lines:
        if line.rstrip() == METADATA_END:
            return
        if not line.startswith("#"):
            raise TrecError(
                f"{path}:{number}: within the header of ir_metadata stands a line that is no "
                f"comment; end it with {METADATA_END!r}"
            )
        yield line
    raise TrecError(f"{path}: the header of ir_metadata has no end; add {METADATA_END!r} below it")


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Each query's passage id -> grade, from TREC qrels (4 columns) or BEIR tsv (3, headed)."""
    qrels: dict[str, dict[str, int]] = {}
    for number, line in _lines(path):
        columns = line.split("\t") if line.count("\t") in (2, 3) else line.split()
        if number == 1 and columns[0].strip().lower() in ("query-id", "query_id", "qid"):
            continue
        query_id, passage_id = columns[0].strip(), columns[-2:][0].strip()
        if len(columns) not in (3, 4) or not (query_id and passage_id):
            found = "an id is empty" if len(columns) in (3, 4) else f"{len(columns)} columns"
            raise TrecError(
                f"{path}:{number}: {found}; qrels have 'query 0 passage grade' (TREC) or 'query "
                "passage grade' under a header (BEIR)"
            )
        grade = _grade(columns[-1].strip(), path, number)
        known = qrels.setdefault(query_id, {}).setdefault(passage_id, grade)
        if known != grade:
            raise TrecError(
                f"{path}:{number}: passage {short_repr(passage_id)} of query "
                f"{short_repr(query_id)} has grade {grade} here and {known} above; keep one"
            )
    if not qrels:
        raise TrecError(f"{path}: the qrels are empty")
    return qrels


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with _opened(path) as file:
            for number, line in numbered(file, path, TrecError):
                if "\0" in line:  # at which trec_eval ends an id
                    raise TrecError(f"{path}:{number}: a NUL character; is it a text file?")
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise TrecError(f"{path}: not UTF-8 text ({error.reason})") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise TrecError(f"cannot read {path}: {reason}") from error


def _opened(path: Path) -> IO[str]:
    """A file's text without its mark of byte order; gzip by its first two bytes, not its name."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _score(text: str, path: Path, number: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TrecError(f"{path}:{number}: score {short_repr(text)}; a finite number is needed")
    return value


def _grade(text: str, path: Path, number: int) -> int:
    try:
        grade = int(text)
    except ValueError as error:
        raise TrecError(
            f"{path}:{number}: grade {short_repr(text)}; a whole number is needed"
        ) from error
    if abs(grade) > GREATEST:
        raise TrecError(
            f"{path}:{number}: grade {short_repr(text)}; one from {-GREATEST:,} to {GREATEST:,} is "
            "needed"
        )
    return grade
