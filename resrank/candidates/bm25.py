"""The first stage: BM25 (Robertson et al., TREC-3) over a whole collection, by bm25s.

bm25s's `lucene` method (Lu, 2024) with Lucene-like analysis. A passage that shares no term with
the query is no hit, so a list can be shorter than the depth. Equal scores are ordered by passage
id, so that a list is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence

import bm25s
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from resrank.candidates.analysis import analyse
from resrank.config import Bm25Stage
from resrank.records import Passage, Query
from resrank.store import RankedList


def search(
    queries: Sequence[Query], passages: Sequence[Passage], spec: Bm25Stage
) -> dict[str, RankedList]:
    """Each query's best `depth` passages; a query's excluded passage never stands among them."""
    index, vocabulary = _index(passages, spec)
    ids = np.array([p.id for p in passages], dtype=object)
    order_by_id = np.argsort(np.argsort(ids))
    place = {p.id: i for i, p in enumerate(passages)}
    lists: dict[str, RankedList] = {}
    for query in tqdm(queries, desc="BM25", unit="query"):
        terms = [vocabulary[t] for t in analyse(query.text) if t in vocabulary]
        if not terms:
            lists[query.id] = []
            continue
        scores = index.get_scores_from_ids(terms)
        if query.excluded in place:
            scores[place[query.excluded]] = 0.0
        best = _best(scores, order_by_id, spec.depth)
        lists[query.id] = [(str(ids[i]), float(scores[i])) for i in best]
    return lists


def _index(passages: Sequence[Passage], spec: Bm25Stage) -> tuple[bm25s.BM25, dict[str, int]]:
    vocabulary: dict[str, int] = {}
    tokens = [
        [vocabulary.setdefault(term, len(vocabulary)) for term in analyse(p.text)]
        for p in tqdm(passages, desc="analysing", unit="passage")
    ]
    index = bm25s.BM25(k1=spec.k1, b=spec.b, method="lucene")
    index.index((tokens, vocabulary), show_progress=False)
    return index, vocabulary


def _best(scores: NDArray[np.float32], order_by_id: NDArray[np.intp], depth: int) -> list[int]:
    """Places of the `depth` highest positive scores, ties by passage id."""
    hits = np.flatnonzero(scores > 0)
    if len(hits) > depth:
        threshold = np.partition(scores[hits], -depth)[-depth]
        hits = hits[scores[hits] >= threshold]
    ranked = hits[np.lexsort((order_by_id[hits], -scores[hits]))]
    return [int(i) for i in ranked[:depth]]
