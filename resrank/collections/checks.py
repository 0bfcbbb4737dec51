"""Do judgments belong to a collection at all?"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from resrank.collections.jsonl import DataError
from resrank.config import Counts
from resrank.records import Qrels


def check_overlap(
    qrels: Qrels, queries: Collection[str], passages: Collection[str], source: Path
) -> None:
    """Raise DataError if no judged query, or no judged passage, is in the collection.

    Real judgments name passages that a collection lacks; only a complete miss is a mistake.
    """
    judged = {p for grades in qrels.values() for p in grades}
    for what, named, known in (("query", set(qrels), queries), ("passage", judged, passages)):
        if not any(name in known for name in named):
            raise DataError(
                f"{source}: no judged {what} is in the collection (judged: "
                f"{min(named)!r}, ...; collection: {min(known, default='nothing')!r}, ...); "
                "are the qrels of this collection?"
            )


def check_counts(expected: Counts, passages: int, qrels: Qrels, source: Path) -> None:
    """Raise DataError if a collection does not hold what its entry says it holds.

    qrels: of the test split, as they were read, before any sample is drawn.
    """
    found = Counts(
        passages=passages, test_queries=len(qrels),
        test_judgments=sum(len(grades) for grades in qrels.values()),
    )  # fmt: skip
    for name, wanted in expected.model_dump().items():
        given = getattr(found, name)
        if wanted is not None and given != wanted:
            raise DataError(
                f"{source}: {given:,} {name.replace('_', ' ')}, but its entry says {wanted:,}; it "
                "is another version, or damaged; correct `counts` if it is right"
            )
