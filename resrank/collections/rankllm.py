"""Read candidates with their text, in both of RankLLM's layouts.

The older layout: `{"query": text, "hits": [{"content", "qid", "docid", "rank", "score"}]}`; the
newer: `{"query": {"text", "qid"}, "candidates": [{"docid", "score", "doc"}]}`. Either as one JSON
list or as JSON lines.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from resrank.io.text import (
    DataError,
    id_field,
    optional_text,
    parsed,
    query_id_field,
    read_jsonl,
    reading,
    repeated,
    text_field,
)
from resrank.options import short_repr

TITLE_PREFIX = re.compile(r"^Title: (.*?)\s?Content: ", re.DOTALL)
TEXT_FIELDS = ("content", "contents", "text", "segment", "passage", "body")


class Hit(NamedTuple):
    """One imported candidate."""

    passage_id: str
    text: str
    score: float


class ImportedList(NamedTuple):
    """One query with its candidates, best first."""

    query_id: str
    text: str
    hits: list[Hit]


def read_lists(path: Path) -> list[ImportedList]:
    """Return every query's list, in the file's order.

    Raises DataError with the file and the place.
    """
    lists: dict[str, ImportedList] = {}
    for where, item in stream_lists(path):
        if item.query_id in lists:
            raise DataError(f"{where}: query id {short_repr(item.query_id)} occurs twice")
        lists[item.query_id] = item
    if not lists:
        raise DataError(f"{path}: no query")
    return list(lists.values())


def stream_lists(path: Path) -> Iterator[tuple[str, ImportedList]]:
    """Yield (file and place, query's list); of a .jsonl one is held at a time.

    Raises DataError with the file and the place. A repeated query id is not noticed.
    """
    for where, row in _rows(path):
        yield where, _list(row, where)


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if path.name.removesuffix(".gz").endswith(".jsonl"):
        yield from ((f"{path}:{number}", row) for number, row in read_jsonl(path))
        return
    with reading(path) as file:
        value = parsed(file.read(), str(path))
    if not isinstance(value, list):
        raise DataError(f"{path}: a JSON list of queries is needed, found {type(value).__name__}")
    for number, row in enumerate(value):
        if not isinstance(row, dict):
            raise DataError(f"{path}: entry {number} is {type(row).__name__}, not an object")
        yield f"{path}: entry {number}", row


def _list(row: dict[str, Any], where: str) -> ImportedList:
    hits = row.get("hits", row.get("candidates"))
    if not isinstance(hits, list) or not all(isinstance(hit, dict) for hit in hits):
        raise DataError(f"{where}: a list of objects under 'hits' or 'candidates' is needed")
    query = row.get("query")
    if isinstance(query, dict):
        text, query_id = text_field(query, "text", where), query_id_field(query, "qid", where)
    else:
        text = text_field(row, "query", where)
        query_id = _query_id(row, hits, where)
    if not text.strip():
        raise DataError(f"{where}: query {short_repr(query_id)} is empty")
    candidates = [_hit(hit, f"{where}, candidate {place}") for place, hit in enumerate(hits)]
    if (twice := repeated(hit.passage_id for hit in candidates)) is not None:
        raise DataError(
            f"{where}: passage {short_repr(twice)} occurs twice for query {short_repr(query_id)}"
        )
    return ImportedList(query_id, text, candidates)


def _query_id(row: dict[str, Any], hits: list[dict[str, Any]], where: str) -> str:
    """Return the query's id, which the older layout keeps in its hits."""
    for holder in (row, *hits[:1]):
        if "qid" in holder:
            return query_id_field(holder, "qid", where)
    raise DataError(f"{where}: no 'qid', neither beside the query nor in its first hit")


def _hit(hit: dict[str, Any], where: str) -> Hit:
    doc = hit.get("doc", hit)
    if isinstance(doc, str):
        text = text_field(hit, "doc", where)
    elif isinstance(doc, dict):
        name = next((n for n in TEXT_FIELDS if doc.get(n) is not None), None)
        if name is None:
            raise DataError(f"{where}: no text; one of {', '.join(TEXT_FIELDS)} is needed")
        title = optional_text(doc, "title", where)
        text = f"{title} {text_field(doc, name, where)}".strip()
    else:
        raise DataError(f"{where}: 'doc' is {type(doc).__name__}; text or an object is needed")
    return Hit(id_field(hit, "docid", where), unwrap(text), _score(hit.get("score"), where))


def unwrap(text: str) -> str:
    """Drop the `Title: ... Content: ` wrapping of the older layout, keeping the title's words."""
    match = TITLE_PREFIX.match(text)
    return f"{match[1]} {text[match.end() :]}".strip() if match else text


def _score(value: Any, where: str) -> float:
    try:
        score = float(value)
    except (OverflowError, TypeError, ValueError):
        score = math.nan
    if not math.isfinite(score):
        raise DataError(f"{where}: score {short_repr(value)}; a finite number is needed")
    return score
