"""A collection's own grades as three: 0 not relevant, 1 partly relevant, 2 relevant."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from resrank.records import Qrels


def three_grades(qrels: Qrels, grades_from: Sequence[int] | None) -> Qrels | None:
    """The same judgments in three grades; None for a collection that does not say how.

    grades_from: lowest own grades that count as 1 and as 2. Where they are alike, as of binary
    judgments, no passage has grade 1.
    """
    if grades_from is None:
        return None
    return {
        query_id: {passage: bisect_right(grades_from, grade) for passage, grade in judged.items()}
        for query_id, judged in qrels.items()
    }
