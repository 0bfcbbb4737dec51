"""Which column of a file of judgments holds the query, the passage and the grade."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

NAMES = {
    "query": ("query-id", "qid", "q_id", "query", "topic", "topic-id"),
    "passage": ("corpus-id", "doc-id", "docid", "docno", "did", "pid", "passage-id", "document-id",
                "document", "passage"),
    "grade": ("score", "relevance", "rel", "grade", "label", "judgment", "judgement"),
}  # fmt: skip
"""The names by which a header may call each column, upper or lower case, with '-', '_' or none."""
ROLES = {name.replace("-", "").replace("_", ""): role for role in NAMES for name in NAMES[role]}


class QrelsColumns(NamedTuple):
    """The places of a line's query, passage and grade, and the numbers of columns it may have."""

    query: int
    passage: int
    grade: int
    counts: tuple[int, ...]


WITHOUT_HEADER = QrelsColumns(0, -2, -1, (3, 4))
"""TREC's columns 'query 0 passage grade', or BEIR's 'query passage grade'."""


def columns_of(header: Sequence[str]) -> QrelsColumns | None:
    """Return the columns that a header names, or None if the line is no header.

    A line is a header if it names a query and another column. Columns of other names are ignored.
    Raises ValueError if the header names a column twice or lacks one.
    """
    roles = [ROLES.get(re.sub(r"[-_ ]", "", name.lower())) for name in header]
    if "query" not in roles or len(set(roles) - {None}) < 2:
        return None
    for role, names in NAMES.items():
        if roles.count(role) != 1:
            raise ValueError(
                f"the header {' '.join(header)!r} names {roles.count(role)} columns of the {role}; "
                f"name one, as {', '.join(names)}"
            )
    query, passage, grade = (roles.index(role) for role in NAMES)
    return QrelsColumns(query, passage, grade, counts=(len(header),))
