"""Stage I's documents: a file with one line per query, read by line number.

The file is written and read as a stream. Only the offsets of its lines are held in memory, so a
corpus may have any size.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from baselines.rag_match.evidence import QueryEvidence
from baselines.rag_match.synthesis import Synthesiser
from resrank.io.atomic import atomic_file
from resrank.io.manifest import checked_line, read_line

BLOCK = 256
"""Queries that a synthesiser is given at once."""


class Document(NamedTuple):
    """A query and its document, which is empty if there was no evidence."""

    query: str
    text: str


class Documents(Sequence[Document]):
    """A file of documents, read by line number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.starts = array("q", [0])
        with path.open("rb") as file:
            for line in file:
                self.starts.append(self.starts[-1] + len(line))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: Any) -> Any:
        """Return the document of a line. Raises Damaged if the line was changed since."""
        with self.path.open("rb") as file:
            file.seek(self.starts[range(len(self))[index]])
            row = read_line(file.readline(), self.path, index + 1, "delete it, and train again")
            return Document(row["query"], row["text"])


def write_documents(path: Path, queries: Iterable[QueryEvidence], synthesise: Synthesiser) -> None:
    """Synthesise every query's document and write all to `path`, whole or not at all."""
    with atomic_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        remaining = iter(queries)
        while block := list(islice(remaining, BLOCK)):
            for item, text in zip(block, synthesise(block), strict=True):
                file.write(checked_line({"query": item.query, "text": text}))
