"""Parquet files of ours: each is sealed, and its pages carry checksums; a damaged file, or one of
another kind, is said by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from resrank.io.seals import BLANK, SEAL, Damaged, check, seal

MAGIC = b"PAR1"  # what such a file begins with


def write_table(path: Path, table: pa.Table) -> None:
    """Write a table with its seal, without which a flipped byte is another value."""
    with sealed_writer(path, table.schema) as writer:
        writer.write_table(table)


@contextmanager
def sealed_writer(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """What writes a table in blocks; the file is sealed at the end."""
    with pq.ParquetWriter(path, schema, write_page_checksum=True) as writer:
        yield writer
        writer.add_key_value_metadata({SEAL: BLANK})
    seal(path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Check a file's seal, and turn what a damaged one raises into Damaged.

    The seal comes first: on a damaged footer pyarrow may ask for any amount of memory.
    """
    try:
        check(path)
        yield
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise Damaged(path, " ".join(str(error).split())) from error


def column_names(path: Path) -> list[str]:
    """The columns of a file. ValueError that names it if it is damaged."""
    with naming(path):
        return list(pq.read_schema(path).names)


def read_columns(
    path: Path, columns: Sequence[str], filters: Sequence[tuple[str, str, Any]] | None = None
) -> pa.Table:
    """The named columns of a file, of the rows that pass the filters.

    Raises Damaged, or ValueError if the file has other columns or is no parquet.
    """
    check(path)
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
