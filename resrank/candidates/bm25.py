"""The kind `bm25`: BM25 (Robertson et al., TREC-3) over a whole collection, by bm25s."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field
from tqdm import tqdm

from resrank.candidates.base import FirstStageKind, StageInputs
from resrank.candidates.text_analysis import Analyser
from resrank.records import Passage, Query

if TYPE_CHECKING:
    from resrank.io.candidates import RankedList


class Bm25Stage(FirstStageKind):
    """BM25 over the whole collection, by bm25s with Lucene-like analysis."""

    kind: Literal["bm25"]
    k1: float = Field(0.9, ge=0, description="Term-frequency saturation.")
    b: float = Field(0.4, ge=0, le=1, description="Length normalisation.")
    analyser: Analyser = Field(
        "english",
        description="How a text becomes index terms. 'english': Lucene's EnglishAnalyzer, behind "
        "published scores; 'unicode': words in lower case, for other languages; 'icu': the same, "
        "with dictionaries for Chinese, Japanese, Thai, Lao, Khmer and Burmese (the extra `icu`).",
    )

    def search(self, inputs: StageInputs) -> Mapping[str, RankedList]:
        """Return the best passages of every query that has a text."""
        return self.rank(inputs.queries, inputs.collection.passages)

    def rank(self, queries: Sequence[Query], passages: Iterable[Passage]) -> dict[str, RankedList]:
        """Return each query's best `depth` passages, without its excluded passage.

        passages: ordered by id, iterated over once. Raises ValueError if there is none.
        """
        from resrank.candidates.bm25_index import Index
        from resrank.candidates.text_analysis import ANALYSERS

        index = Index(passages, self.k1, self.b, ANALYSERS[self.analyser])
        place = index.places({q.excluded for q in queries if q.excluded is not None})
        return {
            query.id: index.best(query.text, self.depth, place.get(query.excluded or ""))
            for query in tqdm(queries, desc="BM25", unit="query")
        }
