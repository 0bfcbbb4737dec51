"""A collection's grades mapped to three: 0 not relevant, 1 partly relevant, 2 relevant."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from resrank.records import Qrels


def three_grades(qrels: Qrels, grades_from: Sequence[int] | None) -> Qrels | None:
    """Return the same judgments in three grades; None without `grades_from`.

    grades_from: the collection's lowest grades that count as 1 and as 2. Where they are equal, as
    for binary judgments, no passage has grade 1.
    """
    if grades_from is None:
        return None
    return {
        query_id: {passage: bisect_right(grades_from, grade) for passage, grade in judged.items()}
        for query_id, judged in qrels.items()
    }
