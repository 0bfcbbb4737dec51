"""Flip a bit in a file that the DAG wrote: the same values, or an error that names the file."""

import random

import pyarrow as pa
import pytest

from resrank.io.collection import Collection
from resrank.io.parquet import read_columns, write_table
from resrank.io.passage_table import PassageTable
from tests.entries import parse_collection

FLIPS = 60


def flipped(data: bytes, rng: random.Random, start: int = 4, end: int | None = None) -> bytes:
    """Return the bytes with one bit flipped."""
    changed = bytearray(data)
    changed[rng.randrange(start, end or len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def pages_end(data: bytes) -> int:
    """Return the offset at which a parquet file's pages end and its footer begins."""
    return len(data) - 8 - int.from_bytes(data[-8:-4], "little")


def test_a_flipped_value_in_parquet_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    table = pa.table({"passage_id": [f"p{n}" for n in range(300)], "text": ["word"] * 300})
    write_table(path, table)
    data, rng, named = path.read_bytes(), random.Random(1), 0
    for _ in range(FLIPS):
        path.write_bytes(flipped(data, rng, end=pages_end(data)))
        try:
            assert read_columns(path, table.column_names).equals(table)
        except ValueError as error:
            assert str(path) in str(error)
            named += 1
    assert named > FLIPS / 2


def test_damaged_passages_are_named(beir, tmp_path):
    parse_collection({"kind": "beir", "path": str(beir)}).collect(tmp_path / "c")
    path = tmp_path / "c" / "passages.parquet"
    wanted, data = list(Collection(tmp_path / "c").passages), path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    for read in (len, list, lambda passages: passages.of(["p1"])):
        with pytest.raises(ValueError, match="passages.parquet is damaged .*; delete it"):
            read(PassageTable(path))
    path.write_bytes(data)
    assert list(PassageTable(path)) == wanted
