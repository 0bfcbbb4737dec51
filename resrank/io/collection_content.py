"""The content of a collection before it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from resrank.records import Passage, Qrels, Query


@dataclass(frozen=True)
class CollectionContent:
    """The content of a collection, as a kind reads it.

    passages: iterated over once. qrels: query id -> passage id -> grade. graded: the judgments in
    three grades, where `grades_from` is not how they are made. imported: query id -> candidate
    list, best first, as (passage id, score), for a kind that brings its lists. titled: whether
    passages may have titles, whose lengths are stored with them.
    """

    queries: Sequence[Query]
    passages: Iterable[Passage]
    qrels: Qrels
    graded: Qrels | None = None
    imported: Mapping[str, Sequence[tuple[str, float]]] | None = None
    titled: bool = False


class PassageCounts:
    """Counts over a stream of passages: all, empty ones, and the judged ones among them."""

    def __init__(self, judged: Set[str]) -> None:
        self.judged = judged
        self.judged_present: set[str] = set()
        self.passages = 0
        self.empty = 0
        self.first = ""

    def count(self, passages: Iterable[Passage]) -> Iterator[Passage]:
        """Yield the passages and count them."""
        for passage in passages:
            self.first = self.first or passage.id
            self.passages += 1
            self.empty += not passage.text.strip()
            if passage.id in self.judged:
                self.judged_present.add(passage.id)
            yield passage
