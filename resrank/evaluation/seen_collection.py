"""What a system has read of a collection in training: labels, and text without labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from resrank.collections.pseudo_queries import draw
from resrank.evaluation.leak import training_positives
from resrank.io.collection import Collection
from resrank.records import Split

TRAINING_GRADE = 1
"""The lowest grade of a training positive: training takes every grade above 0 as relevant, even
where binary metrics count only higher grades."""


class SeenCollection(NamedTuple):
    """A collection that a system was trained on.

    labels: whether the training read the train queries and their labels. pseudo_queries: the most
    pseudo-queries that it drew from the passages.
    """

    collection: Collection
    labels: bool = True
    pseudo_queries: int = 0

    @property
    def name(self) -> str:
        """Return the collection's name, with a note if pseudo-queries were drawn from it."""
        name = self.collection.folder.name
        if not self.pseudo_queries:
            return name
        return f"{name} (labels and own text)" if self.labels else f"{name} (own text)"

    def positives(self) -> Counter[str]:
        """Return how often each text is labelled as relevant in the train split."""
        qrels = self.collection.qrels(Split.TRAIN)
        passages = self.collection.passages.judged(qrels)
        return training_positives(qrels, passages, TRAINING_GRADE)

    def unlabelled(self) -> frozenset[str]:
        """Return the passages, as whole texts, that were relevant to a pseudo-query."""
        passages = self.collection.passages
        drawn = draw(passages, self.pseudo_queries).sources if self.pseudo_queries else set()
        return frozenset(passage.text for passage in passages.of(drawn).values())


def merged(sources: Iterable[SeenCollection]) -> list[SeenCollection]:
    """Return each collection once, with all that any of the sources read of it."""
    by_folder: dict[Path, SeenCollection] = {}
    for source in sources:
        other = by_folder.setdefault(source.collection.folder, source)
        by_folder[source.collection.folder] = SeenCollection(
            other.collection,
            other.labels or source.labels,
            max(other.pseudo_queries, source.pseudo_queries),
        )
    return list(by_folder.values())
