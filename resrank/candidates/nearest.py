"""Exact nearest neighbours among stored embeddings.

Similarities are computed a block of passages at a time, so that memory depends neither on the size
of the collection nor on that of the index, which is a memory-mapped file.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

QUERIES, PASSAGES = 512, 16_384  # rows and columns of one block of similarities, 32 MB


class EmbeddingRows(Protocol):
    """Embeddings by row number, as an embedding store has them."""

    def at(self, rows: NDArray[np.intp]) -> NDArray[np.float32]:
        """Return (n, width) float32 unit vectors of `rows` (n,)."""
        ...


def nearest(
    queries: NDArray[np.float32], index: EmbeddingRows, rows: NDArray[np.intp], depth: int
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return scores and places (into `rows`) of the best, (queries, min(depth, rows)) each.

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
        scores = queries @ index.at(rows[start : start + PASSAGES]).T
        places = np.arange(start, start + scores.shape[1])
        best = np.concatenate([best, _keys(scores, places)], axis=1)
        if best.shape[1] > keep:
            best = np.partition(best, best.shape[1] - keep, axis=1)[:, -keep:]
    return _scores_and_places(-np.sort(-best, axis=1))


def _keys(scores: NDArray[np.float32], places: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return one whole number per score that sorts by the score, then by the place, lowest first.

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
