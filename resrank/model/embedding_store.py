"""Passage embeddings on disk, keyed by content, so that each text is encoded once.

Two append-only files in a folder named by the encoder's fingerprint: `vectors.bin` (one row per
text) and `rows.bin` (text hash, token count, truncated, CRC-32 of the vector, CRC-32 of the row).
A row counts once both files hold it, so a killed fill loses at most the batch it was in.

Every row's CRC is compared when a store is opened. A damaged key would otherwise pass for a text
that is not stored, and the text would be encoded again in another batch, with other last bits. The
CRC of a vector is compared when the vector is first read, since vectors may not fit in memory.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from tqdm import tqdm

from resrank.io.manifest import Damaged
from resrank.model.batches import token_budget_batches
from resrank.model.encoder import Encoder, Tokens
from resrank.model.vector_codec import VectorCodec
from resrank.shards import WHOLE, Shard

COPIED = 65_536  # rows that are copied at a time
KEY = 32  # bytes
ROW = np.dtype(
    [("key", f"S{KEY}"), ("tokens", "<i4"), ("truncated", "?"), ("vector", "<u4"), ("row", "<u4")]
)
CHECKED = ROW.itemsize - 4  # bytes of a row that its CRC, the last field, covers


class EmbeddingStore:
    """The embeddings of one encoder. Many encoders and processes may share `root`.

    Opening a store raises Damaged if a row differs from what was written.
    """

    def __init__(self, root: Path, encoder: Encoder) -> None:
        self.encoder = encoder
        self.folder = root / f"{encoder.fingerprint()[:32]}.checked"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._place: dict[bytes, int] = {}
        self._rows = np.empty(0, ROW)
        self.codec = VectorCodec(encoder.options.store_dtype, encoder.width)
        self._vectors = np.empty((0, self.codec.row_bytes), np.uint8)
        self._intact = np.empty(0, np.bool_)  # rows whose vector's CRC was compared
        self._open()

    def fill(
        self, texts: Sequence[str], shard: Shard = WHOLE, needed: Sequence[str] | None = None
    ) -> None:
        """Encode the texts that are not stored yet. Other processes may fill at the same time.

        shard: its share of the batches is encoded. needed: only batches with one of these texts
        are; unset: all. Batches are formed over all given texts, stored or not, so that an
        interrupted fill resumes with the same batches, hence the same numbers.
        """
        unique = sorted(set(texts))
        if self.has(unique if needed is None else needed):
            return
        with self._locked():
            self._open()
            tokens = self.encoder.tokenize(unique)
            lengths = [len(ids) for ids in tokens.ids]
            budget = self.encoder.batch_tokens
            batches = list(token_budget_batches(lengths, budget))
            if needed is not None:
                wanted = set(needed)
                batches = [b for b in batches if any(unique[place] in wanted for place in b)]
            self._fill_batches(unique, tokens, shard.take(batches))
            self._open()

    def take_over(self, other: EmbeddingStore) -> None:
        """Append the rows of another store of the same encoder that this one lacks."""
        with self._locked():
            self._open()
            new = np.array([i for k, i in other._place.items() if k not in self._place], np.intp)
            with self._files() as (vectors, rows):
                for start in range(0, len(new), COPIED):
                    places = new[start : start + COPIED]
                    vectors.write(other._checked(places).tobytes())
                    rows.write(other._rows[places].tobytes())
            self._open()

    def rows(self, texts: Sequence[str]) -> NDArray[np.intp]:
        """Return the row numbers of stored texts, (n,). Raises KeyError if a text is not stored."""
        return np.fromiter((self._place[_key(t)] for t in texts), np.intp, len(texts))

    def has(self, texts: Sequence[str]) -> bool:
        """Return whether every text is stored."""
        return all(_key(text) in self._place for text in texts)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the embeddings of stored texts, (n, width) float32."""
        return self.at(self.rows(texts))

    def at(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return embeddings by row number, (n, width) float32. Raises Damaged."""
        return self.codec.decode(self._checked(rows))

    def _checked(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Return stored vectors by row number. Each vector's CRC is compared once."""
        vectors = np.asarray(self._vectors[rows])
        new = np.flatnonzero(~self._intact[rows])
        if not np.array_equal(_checksums(vectors[new]), self._rows["vector"][rows[new]]):
            raise self._damaged("vectors.bin")
        self._intact[rows[new]] = True
        return vectors

    def tokens(self, texts: Sequence[str]) -> tuple[int, int]:
        """Return the encoder tokens of stored texts, and the number of truncated texts."""
        rows = self._rows[self.rows(texts)]
        return int(rows["tokens"].sum()), int(rows["truncated"].sum())

    @property
    def bytes(self) -> int:
        """Return the size of the stored vectors in bytes."""
        return int(self._vectors.nbytes)

    def _fill_batches(
        self, texts: Sequence[str], tokens: Tokens, batches: Sequence[list[int]]
    ) -> None:
        """Encode and append the batches that contain a text that is not stored."""
        wanted = [b for b in batches if any(_key(texts[place]) not in self._place for place in b)]
        blocks = self.encoder.embed_batches([[tokens.ids[p] for p in places] for places in wanted])
        total = sum(map(len, batches))
        stored = total - sum(map(len, wanted))
        bar = tqdm(total=total, initial=stored, desc="encoding passages", unit="passage")
        with bar, self._files() as (vectors_file, rows_file):
            for places, block in zip(wanted, blocks, strict=True):
                missing = [i for i, p in enumerate(places) if _key(texts[p]) not in self._place]
                vectors = self.codec.encode(block.numpy()[missing])
                rows = np.array(
                    [
                        (_key(texts[p]), len(tokens.ids[p]), tokens.truncated[p], 0, 0)
                        for p in (places[i] for i in missing)
                    ],
                    ROW,
                )
                rows["vector"] = _checksums(vectors)
                rows["row"] = _checksums(_bytes(rows)[:, :CHECKED])
                vectors_file.write(vectors.tobytes())
                vectors_file.flush()
                rows_file.write(rows.tobytes())
                rows_file.flush()
                bar.update(len(places))

    @contextmanager
    def _files(self) -> Iterator[tuple[BinaryIO, BinaryIO]]:
        with (
            (self.folder / "vectors.bin").open("ab") as vectors,
            (self.folder / "rows.bin").open("ab") as rows,
        ):
            yield vectors, rows

    def _open(self) -> None:
        """Map the rows that both files hold, without the torn tail of a killed process.

        Raises Damaged if a row differs from what was written.
        """
        rows_path, vectors_path = self.folder / "rows.bin", self.folder / "vectors.bin"
        width = self.codec.row_bytes
        rows_path.touch()
        vectors_path.touch()
        count = min(rows_path.stat().st_size // ROW.itemsize, vectors_path.stat().st_size // width)
        self._rows = np.fromfile(rows_path, ROW, count)
        data = _bytes(self._rows)
        if not np.array_equal(_checksums(data[:, :CHECKED]), self._rows["row"]):
            raise self._damaged("rows.bin")
        self._place = {row.tobytes(): place for place, row in enumerate(data[:, :KEY])}
        self._intact = np.zeros(count, np.bool_)
        if count:
            shape = (count, width)
            self._vectors = np.memmap(vectors_path, np.uint8, "r", shape=shape)

    def _damaged(self, name: str) -> Damaged:
        return Damaged(
            self.folder / name,
            "a checksum differs from the stored one",
            f"delete {self.folder}, and run again with `--forcerun encode`",
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with FileLock(self.folder / "lock"):
            self._drop_torn_tail()
            yield

    def _drop_torn_tail(self) -> None:
        rows_path, vectors_path = self.folder / "rows.bin", self.folder / "vectors.bin"
        width = self.codec.row_bytes
        whole = min(rows_path.stat().st_size // ROW.itemsize, vectors_path.stat().st_size // width)
        with rows_path.open("r+b") as file:
            file.truncate(whole * ROW.itemsize)
        with vectors_path.open("r+b") as file:
            file.truncate(whole * width)


def _bytes(rows: NDArray[np.void]) -> NDArray[np.uint8]:
    """Return rows as their bytes on disk, (n, bytes per row)."""
    return rows.view(np.uint8).reshape(len(rows), ROW.itemsize)


def _checksums(rows: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return the CRC-32 of each row of bytes, (n,)."""
    return np.fromiter((zlib.crc32(row) for row in rows), np.uint32, len(rows))


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
