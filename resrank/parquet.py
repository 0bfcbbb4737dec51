"""Parquet files of ours: their pages carry checksums; a damaged file, or one of another kind, is
said by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

MAGIC = b"PAR1"  # what such a file begins with


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table with a checksum a page, without which a flipped byte is another value."""
    pq.write_table(table, path, write_page_checksum=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn what a damaged file raises into a ValueError that names it and says what to do."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        said = " ".join(str(error).split())
        raise ValueError(
            f"{path} is damaged ({said}); delete it, and the job that makes it runs again"
        ) from error


def column_names(path: Path) -> list[str]:
    """The columns of a file. ValueError that names it if it is damaged."""
    with naming(path):
        return list(pq.read_schema(path).names)


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
    known = column_names(path)
    absent = [name for name in columns if name not in known]
    if absent:
        raise ValueError(
            f"{path} has no column {', '.join(absent)} (it has {', '.join(known)}); "
            "it is another kind of file than is needed here"
        )
    with naming(path):
        return pq.read_table(
            path, columns=list(columns), filters=filters and list(filters),
            page_checksum_verification=True,
        )  # fmt: skip
