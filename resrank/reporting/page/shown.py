"""The tables of a suite as they stand in `tables/`, whichever there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

BARS = re.compile(r"(?<!\\)\|")  # a cell's own bars are escaped


class Cell(NamedTuple):
    """A cell's text, and whether it is the best (1) or second best (2) of its column."""

    text: str
    rank: int = 0


class Shown(NamedTuple):
    """A table to be looked at: `name` without an ending, cells as text."""

    name: str
    caption: str
    headers: list[str]
    rows: list[list[Cell]]


def read_tables(folder: Path) -> list[Shown]:
    """Every table of a folder by name: the cells of its Markdown, or those of a CSV alone."""
    return [_shown(path) for path in sorted(folder.glob("*.csv"))]


def _shown(path: Path) -> Shown:
    markdown = path.with_suffix(".md")
    if markdown.is_file():
        return _from_markdown(path.stem, markdown.read_text("utf-8"))
    frame = pd.read_csv(path, dtype=str).fillna("–")
    rows = [[Cell(str(value)) for value in row] for row in frame.itertuples(index=False)]
    return Shown(path.stem, "", list(map(str, frame)), rows)


def _from_markdown(name: str, text: str) -> Shown:
    lines = text.split("\n")  # not at U+2028 or the like within a cell
    end = next((n for n, line in enumerate(lines) if not line.startswith("|")), len(lines))
    headers, _, *rows = [BARS.split(line)[1:-1] for line in lines[:end]]
    caption = " ".join(line for line in lines[end:] if line)
    return Shown(
        name, caption, [_cell(h).text for h in headers], [[*map(_cell, row)] for row in rows]
    )


def _cell(text: str) -> Cell:
    plain = text.strip().replace(r"\|", "|")
    for rank, mark in ((1, "**"), (2, "*")):
        if len(plain) > 2 * len(mark) and plain.startswith(mark) and plain.endswith(mark):
            return Cell(plain[len(mark) : -len(mark)], rank)
    return Cell(plain)
