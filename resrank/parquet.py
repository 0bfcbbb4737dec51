"""Reading parquet files of ours: another kind of file, or a damaged one, is said by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MAGIC = b"PAR1"  # what such a file begins with


def read_columns(
    path: Path, columns: Sequence[str], filters: Sequence[tuple[str, str, Any]] | None = None
) -> pa.Table:
    """The named columns of a file, of the rows that pass the filters.

    Raises ValueError that names the file if it is damaged, has other columns or is no parquet.
    """
    with path.open("rb") as file:
        head = file.read(len(MAGIC))
    if head not in (MAGIC, b""):
        raise ValueError(f"{path} is no parquet file; give one that a job of resrank wrote")
    try:
        known = pq.read_schema(path).names
        absent = [name for name in columns if name not in known]
        if absent:
            raise ValueError(
                f"{path} has no column {', '.join(absent)} (it has {', '.join(known)}); "
                "it is another kind of file than is needed here"
            )
        return pq.read_table(path, columns=list(columns), filters=filters and list(filters))
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        said = " ".join(str(error).split())
        raise ValueError(
            f"{path} is damaged ({said}); delete it, and the job that makes it runs again"
        ) from error
