"""A fixed sample of test queries, the same for every system and on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from resrank.records import Query, Split


def sample_test(queries: Sequence[Query], size: int | None) -> list[Query]:
    """Keep the `size` test queries of lowest sha256(id); the other test queries are held out.

    All test queries stay where `size` is None or not below their number.
    """
    test = sorted((q.id for q in queries if q.split == Split.TEST), key=_place)
    kept = set(test if size is None else test[:size])
    return [
        q if q.split != Split.TEST or q.id in kept else replace(q, split=Split.HELD_OUT)
        for q in queries
    ]


def _place(query_id: str) -> str:
    return hashlib.sha256(query_id.encode("utf-8", "surrogatepass")).hexdigest()
