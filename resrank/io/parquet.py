"""Read and write the project's parquet files, with page checksums and errors that name the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from resrank.io.manifest import Damaged, check_output

MAGIC = b"PAR1"  # the first bytes of a parquet file


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table with page checksums."""
    with table_writer(path, table.schema) as writer:
        writer.write_table(table)


def table_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Return a writer that takes a table in blocks and adds page checksums."""
    return pq.ParquetWriter(path, schema, write_page_checksum=True)


@contextmanager
def checked(path: Path) -> Iterator[None]:
    """Check a file against its manifest, and turn pyarrow's errors in the block into Damaged.

    The manifest is checked first because pyarrow may ask for any amount of memory on a damaged
    footer, which page checksums do not cover.
    """
    check_output(path)
    try:
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise Damaged(path, " ".join(str(error).split())) from error


def column_names(path: Path) -> list[str]:
    """Return a file's column names. Raises Damaged."""
    with checked(path):
        return list(pq.read_schema(path).names)


def read_columns(
    path: Path, columns: Sequence[str], filters: Sequence[tuple[str, str, Any]] | None = None
) -> pa.Table:
    """Return the named columns, of the rows that pass the filters.

    Raises Damaged, or ValueError if a column is missing or the file is not parquet.
    """
    check_output(path)
    with path.open("rb") as file:
        head = file.read(len(MAGIC))
    if head not in (MAGIC, b""):
        raise ValueError(f"{path} is no parquet file; give one that a job of resrank wrote")
    names = column_names(path)
    missing = [name for name in columns if name not in names]
    if missing:
        raise ValueError(
            f"{path} has no column {', '.join(missing)} (it has {', '.join(names)}); "
            "it is another kind of file than is needed here"
        )
    with checked(path):
        return pq.read_table(
            path,
            columns=list(columns),
            filters=filters and list(filters),
            page_checksum_verification=True,
        )
