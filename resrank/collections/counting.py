"""How much a collection holds, before it is made: as its entry states, or as its own files do."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from resrank.collections.kinds import Collection
from resrank.io.trec import read_qrels

CHUNK = 1 << 20


class Sizes(NamedTuple):
    """Passages, test queries and train queries of which use is made; None where not known."""

    passages: int | None
    test_queries: int | None
    train_queries: int | None


def sizes(spec: Collection) -> Sizes:
    """What is known without a network: samples, stated counts, lines of the user's own files."""
    stated, own = spec.counts, _own(spec)
    test = own.test_queries if stated.test_queries is None else stated.test_queries
    return Sizes(
        own.passages if stated.passages is None else stated.passages,
        _least(test, spec.test_sample),
        _least(own.train_queries, spec.train_sample),
    )


def _own(spec: Any) -> Sizes:
    """Of files on this machine. Raises TrecError if judgments cannot be read."""
    if spec.kind == "beir" and spec.path is not None:
        judged = [_judged(spec.path / "qrels" / f"{name}.tsv") for name in (spec.test, spec.train)]
        return Sizes(_lines(spec.path / "corpus.jsonl"), *judged)
    if spec.kind == "candidates" and isinstance(spec.qrels, Path):
        return Sizes(None, _judged(spec.qrels), None)
    return Sizes(None, None, None)


def _least(*counts: int | None) -> int | None:
    return min((n for n in counts if n is not None), default=None)


@cache
def _judged(path: Path) -> int | None:
    """Queries of a file of judgments; None if it is not there."""
    return len(read_qrels(path)) if path.is_file() else None


@cache
def _lines(path: Path) -> int | None:
    """Lines of a file, of which a passage has one; None if it is not there."""
    if not path.is_file():
        return None
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            count += chunk.count(b"\n")
            last = chunk
    return count + (not last.endswith(b"\n"))
