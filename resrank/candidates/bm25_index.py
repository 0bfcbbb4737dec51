"""An index of a collection for BM25, by bm25s.

Scores are those of bm25s's `lucene` method (Lu, 2024) with Lucene-like analysis. A passage that
shares no term with the query is no hit, so a list can be shorter than the depth. Equal scores are
ordered by passage id, so that a list is the same on every machine.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import bm25s
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bm25s.tokenization import Tokenized
from numpy.typing import NDArray
from tqdm import tqdm

from resrank.candidates.text_analysis import analyse
from resrank.io.candidates import RankedList
from resrank.io.passage_table import BLOCK
from resrank.records import Passage


class Index:
    """BM25 scores of every term in every passage. terms_of: returns a text's terms, in order."""

    def __init__(
        self,
        passages: Iterable[Passage],
        k1: float = 0.9,
        b: float = 0.4,
        terms_of: Callable[[str], list[str]] = analyse,
    ) -> None:
        self.terms_of = terms_of
        terms, self.ids = _terms(passages, terms_of)
        self.vocabulary = terms.vocabulary
        # scipy's matrix takes less memory to build than bm25s's own, and holds the same
        self.index = bm25s.BM25(k1=k1, b=b, method="lucene", csc_backend="scipy")
        self.index.index(Tokenized(ids=terms, vocab=self.vocabulary), show_progress=False)

    def best(self, text: str, depth: int, excluded: int | None = None) -> RankedList:
        """Return a query's best `depth` passages, without the passage at the place `excluded`."""
        terms = [self.vocabulary[t] for t in self.terms_of(text) if t in self.vocabulary]
        if not terms:
            return []
        scores = self.index.get_scores_from_ids(terms)
        if excluded is not None:
            scores[excluded] = 0.0
        return [(self.ids[i].as_py(), float(scores[i])) for i in _best(scores, depth)]

    def places(self, passage_ids: set[str]) -> dict[str, int]:
        """Return the places of those of the passages that are in the index."""
        wanted = pa.array(sorted(passage_ids), pa.string())
        matches = np.flatnonzero(pc.is_in(self.ids, wanted).to_numpy())
        return {self.ids[int(i)].as_py(): int(i) for i in matches}


class Terms:
    """Each passage's terms as numbers, end to end in one array.

    This takes 4 bytes per term, where lists of Python's numbers take ten times as much.
    """

    def __init__(self) -> None:
        self.vocabulary: dict[str, int] = {}
        self.numbers = array("i")
        self.ends = array("q", [0])

    def add(self, terms: Iterable[str]) -> None:
        """Append a passage's terms."""
        numbers = self.vocabulary
        self.numbers.extend(numbers.setdefault(term, len(numbers)) for term in terms)
        self.ends.append(len(self.numbers))

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __iter__(self) -> Iterator[list[int]]:
        for start, end in pairwise(self.ends):
            yield self.numbers[start:end].tolist()

    def __getitem__(self, row: int) -> list[int]:
        return self.numbers[self.ends[row] : self.ends[row + 1]].tolist()


def _terms(
    passages: Iterable[Passage], terms_of: Callable[[str], list[str]]
) -> tuple[Terms, pa.ChunkedArray]:
    """Return the terms and the ids of all passages, in their order."""
    terms, blocks, ids = Terms(), [], list[str]()
    for passage in tqdm(passages, desc="analysing", unit="passage"):
        terms.add(terms_of(passage.text))
        ids.append(passage.id)
        if len(ids) == BLOCK:
            blocks.append(pa.array(ids, pa.string()))
            ids.clear()
    blocks.append(pa.array(ids, pa.string()))
    if not len(terms):
        raise ValueError("no passage to index")
    return terms, pa.chunked_array(blocks)


def _best(scores: NDArray[np.float32], depth: int) -> list[int]:
    """Return the places of the `depth` highest positive scores, ties by place: by passage id."""
    hits = np.flatnonzero(scores > 0)
    if len(hits) > depth:
        threshold = np.partition(scores[hits], -depth)[-depth]
        hits = hits[scores[hits] >= threshold]
    ranked = hits[np.lexsort((hits, -scores[hits]))]
    return [int(i) for i in ranked[:depth]]
