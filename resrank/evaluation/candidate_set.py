"""The candidate set that runs are evaluated over."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from resrank.io.collection import Collection


class CandidateSet(NamedTuple):
    """A collection with one first stage's candidates.

    candidates: the parquet file that `candidates` wrote. relevant_grade: the lowest grade that
    binary metrics and the leak audit count as relevant.
    """

    collection: Collection
    candidates: Path
    relevant_grade: int = 1
