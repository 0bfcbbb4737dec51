"""A suite's tables as the page displays them, read from its folder `tables/`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from resrank.reporting.tables.formats import MARKDOWN_LOOKS, Cell

BARS = re.compile(r"(?<!\\)\|")  # bars within a cell are escaped


class PageTable(NamedTuple):
    """A table on the page: its name, its caption, and its cells as text."""

    name: str
    caption: str
    headers: list[str]
    rows: list[list[Cell]]


def read_tables(folder: Path) -> list[PageTable]:
    """Return every table of a folder by name, from its Markdown, or from its CSV without one."""
    return [_read(path) for path in sorted(folder.glob("*.csv"))]


def _read(path: Path) -> PageTable:
    markdown = path.with_suffix(".md")
    if markdown.is_file():
        return _from_markdown(path.stem, markdown.read_text("utf-8"))
    frame = pd.read_csv(path, dtype=str).fillna("–")
    rows = [[Cell(str(value)) for value in row] for row in frame.itertuples(index=False)]
    return PageTable(path.stem, "", list(map(str, frame)), rows)


def _from_markdown(name: str, text: str) -> PageTable:
    lines = text.split("\n")  # not splitlines(): a cell may hold U+2028 or the like
    end = next((n for n, line in enumerate(lines) if not line.startswith("|")), len(lines))
    headers, _, *rows = [BARS.split(line)[1:-1] for line in lines[:end]]
    caption = " ".join(line for line in lines[end:] if line)
    cells = [[_cell(text) for text in row] for row in rows]
    return PageTable(name, caption, [_cell(header).text for header in headers], cells)


def _cell(text: str) -> Cell:
    plain = text.strip().replace(r"\|", "|")
    for rank in (1, 2):
        start, end = MARKDOWN_LOOKS[rank].split("{}")
        if len(plain) > len(start + end) and plain.startswith(start) and plain.endswith(end):
            return Cell(plain[len(start) : -len(end)], rank)
    return Cell(plain)
