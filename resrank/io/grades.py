"""The grades that a system gives to passages: probabilities, in a file beside its run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from resrank.io.atomic import atomic_file
from resrank.io.parquet import read_columns, write_table
from resrank.records import Ranking

SCHEMA = pa.schema(
    [("query_id", pa.string()), ("passage_id", pa.string()),
     ("probabilities", pa.list_(pa.float64()))]
)  # fmt: skip
SUM_TOLERANCE = 1e-4  # rounding in single precision
Probabilities = dict[str, dict[str, tuple[float, ...]]]
"""query id -> passage id -> the probability of each grade, from grade 0 up."""


def broken_grades(ranking: Ranking, grades: int | None) -> list[str]:
    """Return the mistakes in a ranking's grades.

    grades: the number of grades that its system declares, or None.
    """
    probabilities = ranking.grade_probabilities
    if probabilities is None:
        return [] if grades is None else [f"no grade probabilities; {grades} per passage expected"]
    if grades is None:
        return ["grade probabilities of a system that does not declare its number of `grades`"]
    passages = len(ranking.passage_ids)
    if len(probabilities) != passages:
        return [f"grade probabilities of {len(probabilities)} passages, {passages} expected"]
    for passage_id, row in zip(ranking.passage_ids, probabilities, strict=True):
        if len(row) != grades:
            return [f"{len(row)} grades for passage {passage_id!r}, {grades} expected"]
        values = np.asarray(row)
        if not (
            np.isfinite(values).all()
            and (values >= 0).all()
            and abs(values.sum() - 1) < SUM_TOLERANCE
        ):
            return [f"grade probabilities {row} for passage {passage_id!r}; at least 0, sum 1"]
    return []


def grades_of(run: Path) -> Path:
    """Return the path of a run's grades."""
    return run.with_suffix(".grades.parquet")


def write_grades(path: Path, rankings: Sequence[Ranking]) -> bool:
    """Write rankings' grades, one row per passage, best first. Return whether there are any.

    Without grades, the file of an earlier job is removed.
    """
    graded = [r for r in rankings if r.grade_probabilities is not None]
    if not graded:
        path.unlink(missing_ok=True)
        return False
    rows = [
        (r.query_id, passage_id, list(row))
        for r in sorted(graded, key=lambda r: r.query_id)
        for passage_id, row in zip(r.passage_ids, r.grade_probabilities or (), strict=True)
    ]
    columns = {name: [row[i] for row in rows] for i, name in enumerate(SCHEMA.names)}
    _write(path, pa.table(columns, SCHEMA))
    return True


def read_grades(path: Path) -> Probabilities:
    """Return the grades of each query's passages, in the run's order.

    Raises ValueError that names the file if it is damaged or of another kind.
    """
    grades: Probabilities = {}
    for row in read_columns(path, SCHEMA.names).to_pylist():
        passages = grades.setdefault(row["query_id"], {})
        passages[row["passage_id"]] = tuple(row["probabilities"])
    return grades


def merge_grades(shards: Sequence[Path], out: Path) -> bool:
    """Join the grades of a run's shards. Return whether any shard has grades."""
    parts = [grades_of(run) for run in shards if grades_of(run).is_file()]
    if not parts:
        grades_of(out).unlink(missing_ok=True)
        return False
    tables = [read_columns(path, SCHEMA.names).cast(SCHEMA) for path in parts]
    _write(grades_of(out), pa.concat_tables(tables).combine_chunks())
    return True


def _write(path: Path, table: pa.Table) -> None:
    with atomic_file(path) as partial:
        write_table(partial, table)
