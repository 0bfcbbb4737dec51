"""Read a folder in BEIR layout: corpus.jsonl and queries.jsonl, plain or gzip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from resrank.io.text import (
    DataError,
    id_field,
    optional_text,
    plain_or_gzip,
    query_id_field,
    read_jsonl,
    text_field,
)
from resrank.options import short_repr
from resrank.records import Passage


def corpus_of(folder: Path) -> Path:
    """Return the file of a folder's passages."""
    return plain_or_gzip(folder / "corpus.jsonl")


def queries_of(folder: Path) -> Path:
    """Return the file of a folder's queries."""
    return plain_or_gzip(folder / "queries.jsonl")


def qrels_of(folder: Path, name: str) -> Path:
    """Return the file of a folder's judgments by the name of its split."""
    return plain_or_gzip(folder / "qrels" / f"{name}.tsv")


def read_passages(path: Path) -> Iterator[Passage]:
    """Yield passages, title and text joined by a space. An empty passage is kept."""
    for number, row in tqdm(read_jsonl(path), desc="reading passages", unit="passage"):
        where = f"{path}:{number}"
        passage_id = id_field(row, "_id", where)
        title, text = optional_text(row, "title", where), text_field(row, "text", where)
        yield Passage(passage_id, f"{title} {text}".strip(), len(title.strip()))


def read_queries(path: Path) -> dict[str, str]:
    """Return query id -> text. An empty query is an error: no system can answer it."""
    queries: dict[str, str] = {}
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        query_id, text = query_id_field(row, "_id", where), text_field(row, "text", where)
        if query_id in queries:
            raise DataError(
                f"{where}: query id {short_repr(query_id)} occurs twice; ids must be unique"
            )
        if not text.strip():
            raise DataError(
                f"{where}: query {short_repr(query_id)} is empty; give it a text or remove it"
            )
        queries[query_id] = text
    if not queries:
        raise DataError(f"{path}: no query")
    return queries


def line_of_repeat(path: Path, passage_id: str) -> int:
    """Return the line on which an id occurs for the second time."""
    rows = read_jsonl(path)
    lines = (n for n, row in rows if id_field(row, "_id", f"{path}:{n}") == passage_id)
    next(lines)
    return next(lines)
