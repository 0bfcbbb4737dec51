"""Stage I's evidence: the texts that a first stage retrieved for a query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from resrank.collections.rankllm import stream_lists
from resrank.records import TrainingExample


class QueryEvidence(NamedTuple):
    """A query with the texts that the first stage retrieved for it, best first."""

    query: str
    texts: tuple[str, ...]


def read_evidence(
    examples: Iterable[TrainingExample], exported: Path | None, size: int
) -> Iterator[QueryEvidence]:
    """Yield each query with the texts of its first `size` candidates.

    The training queries come first, then those of an exported file. Raises DataError if that
    file is malformed.
    """
    for example in examples:
        candidates = example.candidates[:size]
        yield QueryEvidence(example.query.text, tuple(c.passage.text for c in candidates))
    if exported is not None:
        for _, item in stream_lists(exported):
            yield QueryEvidence(item.text, tuple(hit.text for hit in item.hits[:size]))
