"""A fixed sample of a split's queries, the same for every system and on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from resrank.io.hashing import in_hash_order
from resrank.records import Query, Split


def sample(queries: Sequence[Query], test: int | None, train: int | None) -> list[Query]:
    """Keep the `test` test queries and `train` train queries with the lowest SHA-256 of their id.

    The other queries of these splits are held out. None keeps a split whole.
    """
    sizes = {Split.TEST: test, Split.TRAIN: train}
    kept: set[str] = set()
    for split in {q.split for q in queries}:
        members = in_hash_order((q.id for q in queries if q.split == split), str)
        kept.update(members[: sizes.get(split)])
    return [q if q.id in kept else replace(q, split=Split.HELD_OUT) for q in queries]
