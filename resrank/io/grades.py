"""The grades that a system gives to what it ranks: as probabilities, beside its run."""

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
SUM = 1e-4  # what single precision may lack of 1
Probabilities = dict[str, dict[str, tuple[float, ...]]]
"""query id -> passage id -> the probability of each grade, from 0 up."""


def broken_grades(ranking: Ranking, grades: int | None) -> list[str]:
    """What is wrong with a ranking's grades; `grades`: how many its system gives, None for none."""
    found = ranking.grade_probabilities
    if found is None:
        return [] if grades is None else [f"no grade probabilities; {grades} a passage expected"]
    if grades is None:
        return ["grade probabilities of a system that does not declare its number of `grades`"]
    passages = len(ranking.passage_ids)
    if len(found) != passages:
        return [f"grade probabilities of {len(found)} passages, {passages} expected"]
    for passage_id, row in zip(ranking.passage_ids, found, strict=True):
        if len(row) != grades:
            return [f"{len(row)} grades for passage {passage_id!r}, {grades} expected"]
        values = np.asarray(row)
        if not (np.isfinite(values).all() and (values >= 0).all() and abs(values.sum() - 1) < SUM):
            return [f"grade probabilities {row} for passage {passage_id!r}; at least 0, sum 1"]
    return []


def grades_of(run: Path) -> Path:
    """Where the grades of a run lie, if its system gives any."""
    return run.with_suffix(".grades.parquet")


def write_grades(path: Path, rankings: Sequence[Ranking]) -> bool:
    """Write rankings' grades, a row a passage, best first; nothing, and False, if there are none.

    What an earlier job left is removed then.
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
    """The grades of each query's passages, in the run's order.

    Raises ValueError that names the file if it is damaged or of another kind.
    """
    found: Probabilities = {}
    for row in read_columns(path, SCHEMA.names).to_pylist():
        passages = found.setdefault(row["query_id"], {})
        passages[row["passage_id"]] = tuple(row["probabilities"])
    return found


def merge_grades(shards: Sequence[Path], out: Path) -> bool:
    """Put the grades of a run's shards together; False if no shard has any."""
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
