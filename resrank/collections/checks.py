"""Check that judgments belong to a collection, and that its sizes are those of its entry."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from resrank.collections.counting import Counts
from resrank.io.collection_content import PassageCounts
from resrank.io.text import DataError
from resrank.options import short_repr
from resrank.records import Qrels


def check_queries(qrels: Qrels, queries: Collection[str], source: Path) -> None:
    """Raise DataError if no judged query is in the collection.

    Real judgments name queries that a collection lacks; only a complete miss is a mistake.
    """
    if not any(query_id in queries for query_id in qrels):
        raise _miss("query", min(qrels), min(queries, default="nothing"), source)


def check_passages(
    counts: PassageCounts, judged: Mapping[Path, Qrels], expected: Counts, test: Path, source: Path
) -> None:
    """Raise DataError if no judged passage of a file was seen, or if a count is wrong.

    judged: file -> its judgments. test: the file of the test split. source: named for the counts.
    """
    if not counts.passages:
        raise DataError(f"{source}: no passage")
    for path, qrels in judged.items():
        named = {p for grades in qrels.values() for p in grades}
        if not named & counts.judged_present:
            raise _miss("passage", min(named), counts.first, path)
    check_counts(expected, counts.passages, judged[test], source)


def _miss(thing: str, judged: str, present: str, source: Path) -> DataError:
    return DataError(
        f"{source}: no judged {thing} is in the collection (judged: {short_repr(judged)}, ...; "
        f"collection: {short_repr(present)}, ...); are the qrels of this collection?"
    )


def check_counts(expected: Counts, passages: int, qrels: Qrels, source: Path) -> None:
    """Raise DataError if the sizes of a collection are not those that its entry states.

    qrels: of the test split, as they were read, before any sample is drawn.
    """
    counts = {
        "passages": passages,
        "test_queries": len(qrels),
        "test_judgments": sum(map(len, qrels.values())),
    }
    for name, wanted in expected.model_dump().items():
        if wanted is not None and counts[name] != wanted:
            raise DataError(
                f"{source}: {counts[name]:,} {name.replace('_', ' ')}, but its entry says "
                f"{wanted:,}; it is another version, or damaged; correct `counts` if it is right"
            )
