"""Columns of a table as displayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """A displayed column: its header, its decimals, and what is best in it (1: high, -1: low).

    spread, interval, mark: columns whose values follow the number, after `±`, in brackets, and at
    the end. missing: text for a missing value. p: a probability; one too small for the decimals is
    written as below their smallest value. unit: the value that is displayed as 1. among: a boolean
    column that says which rows can be best (all rows if unset; companions never are). joined:
    columns whose values follow the number as further parts of a whole: `0.05 / 0.95 / 0.00`.
    signed: write a plus before numbers above 0.
    """

    header: str
    decimals: int = 0
    best: int = 0
    spread: str | None = None
    interval: tuple[str, str] | None = None
    missing: str = "–"
    mark: str | None = None
    p: bool = False
    unit: float = 1.0
    among: str | None = None
    joined: tuple[str, ...] = ()
    signed: bool = False


CANDIDATE_SET = {"collection": Column("collection"), "first_stage": Column("first stage")}
"""The columns that name a candidate set."""
COST: dict[str, Any] = {"best": -1, "among": "reranks"}
"""For a column of costs: low is best among the systems that rerank, as a first stage is free."""


def label_for_system(columns: dict[str, Column]) -> dict[str, Column]:
    """Display a system's label in place of its name, which only the CSV keeps."""
    return {n: Column("system") if n == "label" else c for n, c in columns.items() if n != "system"}
