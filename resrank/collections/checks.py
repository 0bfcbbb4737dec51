"""Do judgments belong to a collection at all?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from resrank.collections.counting import Counts
from resrank.io.collection import Seen
from resrank.io.text import DataError
from resrank.options import short_repr
from resrank.records import Qrels


def check_queries(qrels: Qrels, queries: Collection[str], source: Path) -> None:
    """Raise DataError if no judged query is in the collection.

    Real judgments name what a collection lacks; only a complete miss is a mistake.
    """
    if not any(query_id in queries for query_id in qrels):
        raise _miss("query", min(qrels), min(queries, default="nothing"), source)


def check_passages(
    seen: Seen, judged: Mapping[Path, Qrels], expected: Counts, test: Path, source: Path
) -> None:
    """Raise DataError if none of a file's judged passages was seen, or the counts are others.

    judged: file -> its judgments; test: the file of the test split; source: named for the counts.
    """
    if not seen.passages:
        raise DataError(f"{source}: no passage")
    for path, qrels in judged.items():
        named = {p for grades in qrels.values() for p in grades}
        if not named & seen.found:
            raise _miss("passage", min(named), seen.first, path)
    check_counts(expected, seen.passages, judged[test], source)


def _miss(what: str, judged: str, known: str, source: Path) -> DataError:
    return DataError(
        f"{source}: no judged {what} is in the collection (judged: {short_repr(judged)}, ...; "
        f"collection: {short_repr(known)}, ...); are the qrels of this collection?"
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
        given = found.model_dump()[name]
        if wanted is not None and given != wanted:
            raise DataError(
                f"{source}: {given:,} {name.replace('_', ' ')}, but its entry says {wanted:,}; it "
                "is another version, or damaged; correct `counts` if it is right"
            )
