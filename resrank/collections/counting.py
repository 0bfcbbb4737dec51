"""Sizes of a collection before it is made: stated by its entry, or counted in the user's files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from resrank.io.text import UNREADABLE_FILE, DataError, open_bytes, reason_of
from resrank.io.trec import read_qrels
from resrank.options import Strict

CHUNK = 1 << 20


class Counts(Strict):
    """The sizes that a collection must have, so that another version of it is noticed."""

    passages: int | None = Field(None, ge=0, description="Passages.")
    test_queries: int | None = Field(None, ge=0, description="Judged test queries.")
    test_judgments: int | None = Field(None, ge=0, description="Their judgments.")


class Sizes(NamedTuple):
    """Passages, test queries and train queries that a suite uses; None where unknown."""

    passages: int | None = None
    test_queries: int | None = None
    train_queries: int | None = None


def least(*counts: int | None) -> int | None:
    """Return the smallest of the counts that are not None; None if all are."""
    return min((n for n in counts if n is not None), default=None)


@cache
def judged_queries(path: Path) -> int | None:
    """Return how many queries a file of judgments has; None without the file.

    Raises TrecError if the judgments cannot be read.
    """
    return len(read_qrels(path)) if path.is_file() else None


@cache
def count_lines(path: Path) -> int | None:
    """Return how many lines a file has, plain or gzip; None without the file.

    The last line may lack its end. Raises DataError if the file cannot be read.
    """
    if not path.is_file():
        return None
    count, last = 0, b"\n"
    try:
        with open_bytes(path) as file:
            while chunk := file.read(CHUNK):
                count += chunk.count(b"\n")
                last = chunk
    except UNREADABLE_FILE as error:
        raise DataError(f"cannot read {path}: {reason_of(error)}") from error
    return count + (not last.endswith(b"\n"))
