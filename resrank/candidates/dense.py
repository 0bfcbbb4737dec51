"""A first stage by the encoder itself: exact nearest passages (ResRank, fact 8 of docs/papers.md).

Similarities are computed a block of passages at a time, so that memory depends on neither the size
of the collection nor of the index, which is a memory-mapped file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from resrank.candidates.kinds import DenseStage
from resrank.io.candidates import RankedList
from resrank.io.manifest import write_sealed
from resrank.io.passage_table import BLOCK, PassageTable
from resrank.model.options import EncoderOptions
from resrank.model.out_of_memory import Halvings
from resrank.records import Passage, Query
from resrank.shards import Shard

QUERIES, PASSAGES = 512, 16_384  # rows and columns of one block of similarities, 32 MB


class EmbeddingRows(Protocol):
    """Embeddings by row number, as an embedding store has them."""

    def at(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """(n, width) float32 unit vectors of `rows` (n,)."""
        ...


def search(
    queries: Sequence[Query], passages: Iterable[Passage], spec: DenseStage, store: Path,
    shard_stores: Sequence[Path] = (),
) -> dict[str, RankedList]:  # fmt: skip
    """Each query's `depth` nearest passages by cosine; equal scores are ordered by passage id.

    passages: ordered by id, gone through once, a block at a time; shard_stores: what shards have
    embedded of them, in their order.
    """
    from resrank.model.embedding_store import EmbeddingStore
    from resrank.model.encoder import Encoder

    encoder = Encoder.from_options(spec.encoder)
    index = EmbeddingStore(store, encoder)
    for folder in shard_stores:
        index.take_over(EmbeddingStore(folder, encoder))
    blocks, ids = [], list[str]()
    for block in _blocks(passages):
        texts = [p.text for p in block]
        index.fill(texts)
        blocks.append(index.rows(texts))
        ids += [p.id for p in block]
    rows = np.concatenate(blocks)
    asked = encoder.embed([q.text for q in queries], query=True).numpy()
    scores, places = nearest(asked, index, rows, spec.depth + 1)
    lists: dict[str, RankedList] = {}
    for query, values, found in zip(queries, scores, places, strict=True):
        listed = [(ids[i], float(v)) for i, v in zip(found, values, strict=True)]
        lists[query.id] = [item for item in listed if item[0] != query.excluded][: spec.depth]
    return lists


def embed_shard(
    passages: PassageTable, options: EncoderOptions, store: Path, shard: Shard, out: Path
) -> None:
    """Embed a shard of the blocks that `search` embeds; `out` says how many passages they hold."""
    from resrank.model.embedding_store import EmbeddingStore
    from resrank.model.encoder import Encoder

    index = EmbeddingStore(store, Encoder.from_options(options))
    mine = set(shard.take(range(-(-len(passages) // BLOCK))))
    embedded, halved = 0, Halvings()
    for number, block in enumerate(_blocks(passages)):
        if number in mine:
            index.fill([p.text for p in block])
            embedded += len(block)
    write_sealed(
        out,
        {"folder": index.folder.name, "passages": embedded, "shard": shard,
         "halved_batches": halved.batches},
    )  # fmt: skip


def _blocks(passages: Iterable[Passage]) -> Iterator[list[Passage]]:
    stream = iter(passages)
    while block := list(islice(stream, BLOCK)):
        yield block


def nearest(
    queries: NDArray[np.float32], index: EmbeddingRows, rows: NDArray[np.intp], depth: int
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Scores and places (into `rows`) of each query's best, (queries, min(depth, rows)) each.

    queries: (q, width) unit vectors. Equal scores are ordered by place.
    """
    keep = min(depth, len(rows))
    scores = np.empty((len(queries), keep), np.float32)
    places = np.empty((len(queries), keep), np.intp)
    starts = range(0, len(queries), QUERIES)
    for start in tqdm(starts, desc="searching", unit="block"):
        block = slice(start, start + QUERIES)
        scores[block], places[block] = _nearest_of_block(queries[block], index, rows, keep)
    return scores, places


def _nearest_of_block(
    queries: NDArray[np.float32], index: EmbeddingRows, rows: NDArray[np.intp], keep: int
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    best = np.empty((len(queries), 0), np.int64)
    for start in range(0, len(rows), PASSAGES):
        found = queries @ index.at(rows[start : start + PASSAGES]).T
        places = np.arange(start, start + found.shape[1])
        best = np.concatenate([best, _keys(found, places)], axis=1)
        if best.shape[1] > keep:
            best = np.partition(best, best.shape[1] - keep, axis=1)[:, -keep:]
    return _scores_and_places(-np.sort(-best, axis=1))


def _keys(scores: NDArray[np.float32], places: NDArray[np.intp]) -> NDArray[np.int64]:
    """One whole number a score that sorts by the score, then by the place, lowest first.

    A partition by the score alone would choose among equal scores at the cut at random.
    """
    bits = (scores + np.float32(0.0)).view(np.int32)  # -0.0 becomes 0.0
    ordered = np.where(bits < 0, bits ^ 0x7FFFFFFF, bits).astype(np.int64)
    return (ordered << 32) | (0xFFFFFFFF - places)


def _scores_and_places(
    keys: NDArray[np.int64],
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    ordered = (keys >> 32).astype(np.int32)
    bits = np.where(ordered < 0, ordered ^ 0x7FFFFFFF, ordered).astype(np.int32)
    places = 0xFFFFFFFF - (keys & 0xFFFFFFFF)
    return bits.view(np.float32), places.astype(np.intp)
