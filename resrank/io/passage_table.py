"""A collection's passages on disk, sorted by id: written from a stream, read in blocks.

They are never all in memory at once: MS MARCO has 8.8 million.
"""

from __future__ import annotations

import heapq
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from resrank.io.atomic import room_for
from resrank.io.parquet import checked, column_names, read_columns, table_writer
from resrank.options import short_repr
from resrank.records import Passage, Qrels

SCHEMA = pa.schema([("passage_id", pa.string()), ("text", pa.string())])
TITLE_LENGTH = "title_length"
TITLED_SCHEMA = SCHEMA.append(pa.field(TITLE_LENGTH, pa.int32()))
BLOCK = 65_536  # passages per row group, the unit of reading
RUN = 500_000  # passages that are sorted at a time


class RepeatedPassage(ValueError):
    """Two passages have the same id."""

    def __init__(self, passage_id: str) -> None:
        super().__init__(f"passage id {short_repr(passage_id)} occurs twice; ids must be unique")
        self.passage_id = passage_id


class PassageTable:
    """The passages of a collection, ordered by id."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __len__(self) -> int:
        with checked(self.path):
            return int(pq.read_metadata(self.path).num_rows)

    def __iter__(self) -> Iterator[Passage]:
        with checked(self.path), self._file() as file:
            for batch in file.iter_batches(BLOCK):
                yield from map(Passage, *batch.to_pydict().values())

    def _file(self) -> pq.ParquetFile:
        return pq.ParquetFile(self.path, page_checksum_verification=True)

    def of(self, ids: Iterable[str]) -> dict[str, Passage]:
        """Return the passages with these ids, by id, as far as they exist."""
        wanted = list(set(ids))
        if not wanted:
            return {}
        filters = [("passage_id", "in", wanted)]
        titled = TITLE_LENGTH in column_names(self.path)
        names = (TITLED_SCHEMA if titled else SCHEMA).names
        rows = read_columns(self.path, names, filters).to_pydict()
        return {passage.id: passage for passage in map(Passage, *rows.values())}

    def judged(self, qrels: Qrels) -> dict[str, Passage]:
        """Return the passages that judgments name, by id."""
        return self.of(p for grades in qrels.values() for p in grades)


def write_passages(path: Path, passages: Iterable[Passage], titled: bool = False) -> None:
    """Write passages that arrive ordered by id.

    titled: whether the file has a column with the lengths of titles.
    """
    stream = iter(passages)
    schema = TITLED_SCHEMA if titled else SCHEMA
    with table_writer(path, schema) as writer:
        while block := list(islice(stream, BLOCK)):
            columns: dict[str, list[str] | list[int]] = {
                "passage_id": [p.id for p in block],
                "text": [p.text for p in block],
            }
            if titled:
                columns[TITLE_LENGTH] = [p.title_length for p in block]
            writer.write_table(pa.table(columns, schema), row_group_size=BLOCK)


def sorted_by_id(passages: Iterable[Passage], run: int = RUN) -> Iterator[Passage]:
    """Yield the passages ordered by id; at most `run` of them are sorted in memory at a time.

    More passages go through sorted files in the temporary folder. Raises RepeatedPassage if two
    have the same id.
    """
    stream = iter(passages)
    with tempfile.TemporaryDirectory() as folder:
        runs: list[Iterable[Passage]] = []
        while block := sorted(islice(stream, run), key=_id):
            if len(block) < run:
                runs.append(block)
                break
            path = Path(folder) / f"{len(runs)}.parquet"
            with room_for(path, "name a folder on a larger disk in TMPDIR"):
                write_passages(path, block, titled=True)
            runs.append(PassageTable(path))
        before = None
        for passage in heapq.merge(*runs, key=_id):
            if passage.id == before:
                raise RepeatedPassage(passage.id)
            before = passage.id
            yield passage


def _id(passage: Passage) -> str:
    return passage.id
