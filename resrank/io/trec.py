"""Read TREC runs and qrels, and BEIR's qrels in tsv; gzip or plain text.

A line that begins with "#" is a comment, as for trec_eval 10.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from resrank.io.qrels_columns import WITHOUT_HEADER, QrelsColumns, columns_of
from resrank.io.text import UNREADABLE_FILE, numbered, open_text, reason_of
from resrank.options import short_repr

GREATEST = 1_000_000  # grade; trec_eval's memory for a query grows with its highest grade
METADATA_START, METADATA_END = "# ir_metadata.start", "# ir_metadata.end"
"""The first and last line of an ir_metadata header, at a run's beginning."""


class TrecError(ValueError):
    """An unusable run or qrels file. The message names the file and the line."""


def read_run(path: Path) -> dict[str, list[tuple[str, float]]]:
    """Return each query's (passage id, score) pairs in the file's order.

    A line with exactly five tabs is split on tabs, so that ids may hold spaces; any other line is
    split on white space. Text after the sixth column is ignored, as by trec_eval. An ir_metadata
    header, which `read_metadata` reads, is skipped.
    """
    run: dict[str, dict[str, float]] = {}
    for number, line in _ranked_lines(path):
        columns = line.split("\t") if line.count("\t") == 5 else line.split()
        if " " in line:  # otherwise there is nothing to strip
            columns = [column.strip() for column in columns]
        if len(columns) < 5 or not (columns[0] and columns[2]):
            problem = f"{len(columns)} columns" if len(columns) < 5 else "an id is empty"
            raise TrecError(
                f"{path}:{number}: {problem}; a run has 'query Q0 passage rank score tag'"
            )
        query_id, _, passage_id, _, score = columns[:5]
        listed = run.setdefault(query_id, {})
        if passage_id in listed:
            raise TrecError(
                f"{path}:{number}: passage {short_repr(passage_id)} occurs twice for query "
                f"{short_repr(query_id)}; "
                "a run lists each passage once per query"
            )
        listed[passage_id] = _score(score, path, number)
    if not run:
        raise TrecError(f"{path}: the run is empty")
    return {query_id: list(listed.items()) for query_id, listed in run.items()}


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the ir_metadata header of a run; empty if it has none."""
    from resrank.io.yaml import mapping

    text = [line.removeprefix("#").removeprefix(" ") for line in _header(_lines(path), path)]
    return mapping("\n".join(text), str(path)) if any(map(str.strip, text)) else {}


def _ranked_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines below the header, if there is one, without comments."""
    lines = _lines(path)
    first = next(lines, (0, ""))
    lines = chain([first], lines)
    if first[1].rstrip() == METADATA_START:
        list(_header(lines, path))
    yield from _without_comments(lines)


def _without_comments(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in lines if line and not line.startswith("#"))


def _header(lines: Iterator[tuple[int, str]], path: Path) -> Iterator[str]:
    """Yield the header's lines; none, if the first line does not start a header."""
    if next(lines, (0, ""))[1].rstrip() != METADATA_START:
        return
    for number, line in lines:
        if line.rstrip() == METADATA_END:
            return
        if not line.startswith("#"):
            raise TrecError(
                f"{path}:{number}: a line in the ir_metadata header is not a "
                f"comment; end it with {METADATA_END!r}"
            )
        yield line
    raise TrecError(f"{path}: the ir_metadata header has no end; add {METADATA_END!r} below it")


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Return query id -> passage id -> grade, from TREC qrels (4 columns) or BEIR tsv (3).

    The first line may be a header, which names the columns in any order (`qrels_columns.NAMES`).
    """
    qrels: dict[str, dict[str, int]] = {}
    columns, is_first = WITHOUT_HEADER, True
    for number, line in _without_comments(_lines(path)):
        fields = _fields(line, columns)
        if is_first:
            is_first = False
            if named := _named_columns(fields, f"{path}:{number}"):
                columns = named
                continue
        query_id, passage_id, grade = _judgment(fields, columns, f"{path}:{number}")
        earlier = qrels.setdefault(query_id, {}).setdefault(passage_id, grade)
        if earlier != grade:
            raise TrecError(
                f"{path}:{number}: passage {short_repr(passage_id)} of query "
                f"{short_repr(query_id)} has grade {grade} here and {earlier} above; keep one"
            )
    if not qrels:
        raise TrecError(f"{path}: the qrels are empty")
    return qrels


def _fields(line: str, columns: QrelsColumns) -> list[str]:
    """Split a line on tabs if that gives an expected number of columns, else on white space."""
    by_tabs = line.count("\t") + 1 in columns.counts
    return line.split("\t") if by_tabs else line.split()


def _named_columns(fields: Sequence[str], where: str) -> QrelsColumns | None:
    """Return the columns that the first line names, or None if it is no header."""
    try:
        return columns_of([name.strip() for name in fields])
    except ValueError as error:
        raise TrecError(f"{where}: {error}") from error


def _judgment(fields: Sequence[str], columns: QrelsColumns, where: str) -> tuple[str, str, int]:
    """Return a line's query id, passage id and grade."""
    if len(fields) in columns.counts:
        query_id, passage_id = fields[columns.query].strip(), fields[columns.passage].strip()
        if query_id and passage_id:
            return query_id, passage_id, _grade(fields[columns.grade].strip(), where)
        problem = "an id is empty"
    else:
        problem = f"{len(fields)} columns"
    if columns is not WITHOUT_HEADER:
        raise TrecError(f"{where}: {problem}; the header names {columns.counts[0]} columns")
    raise TrecError(
        f"{where}: {problem}; qrels have 'query 0 passage grade' (TREC) or 'query passage grade' "
        "under a header (BEIR)"
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with open_text(path) as file:
            for number, line in numbered(file, path, TrecError):
                if "\0" in line:  # at which trec_eval ends an id
                    raise TrecError(f"{path}:{number}: a NUL character; is it a text file?")
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise TrecError(f"{path}: not UTF-8 text ({error.reason})") from error
    except UNREADABLE_FILE as error:
        raise TrecError(f"cannot read {path}: {reason_of(error)}") from error


def _score(text: str, path: Path, number: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TrecError(f"{path}:{number}: score {short_repr(text)}; a finite number is needed")
    return value


def _grade(text: str, where: str) -> int:
    try:
        grade = int(text)
    except ValueError as error:
        raise TrecError(f"{where}: grade {short_repr(text)}; a whole number is needed") from error
    if abs(grade) > GREATEST:
        raise TrecError(
            f"{where}: grade {short_repr(text)}; one from {-GREATEST:,} to {GREATEST:,} is needed"
        )
    return grade
