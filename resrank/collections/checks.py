"""Do judgments belong to a collection at all?"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from resrank.collections.jsonl import DataError
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
