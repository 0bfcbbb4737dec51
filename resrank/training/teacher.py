"""A teacher's orderings as training labels: what stage two of the paper learns from (fact 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from resrank.io.text import JSON_NAMES, DataError, id_field, read_jsonl, repeated
from resrank.options import short_repr
from resrank.records import TrainingExample


def taught_by(examples: Sequence[TrainingExample], path: Path) -> list[TrainingExample]:
    """The examples whose query the teacher ordered, graded by its ordering.

    The first of n ordered passages has grade n, the last 1, any other candidate 0. InfoNCE's
    positives stay the judged ones; a query without any has the teacher's first. Raises DataError
    on a line that is no ordering, and if the file orders none of the queries.
    """
    orderings = read_orderings(path)
    known = {e.query.id: e for e in examples}
    taught = [_taught(known[q], ranking) for q, ranking in orderings.items() if q in known]
    if not taught:
        raise DataError(
            f"{path} orders none of the {len(known)} training queries; its query ids begin with "
            f"{', '.join(map(repr, list(orderings)[:3])) or 'nothing'}, the collection's with "
            f"{', '.join(map(repr, list(known)[:3]))}"
        )
    return taught


def read_orderings(path: Path) -> dict[str, list[str]]:
    """Query id -> passage ids, best first. Raises DataError naming file and line."""
    orderings: dict[str, list[str]] = {}
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        query = id_field(row, "query_id", where)
        ranking = row.get("ranking")
        if not isinstance(ranking, list) or not all(isinstance(p, str) for p in ranking):
            kind = JSON_NAMES.get(type(ranking), "text")
            raise DataError(f"{where}: field 'ranking' is {kind}; a list of passage ids is needed")
        if (twice := repeated(ranking)) is not None:
            raise DataError(f"{where}: passage {short_repr(twice)} stands twice in the ranking")
        if query in orderings:
            raise DataError(
                f"{where}: a second ranking of query {short_repr(query)}; give one a query"
            )
        orderings[query] = ranking
    return orderings


def _taught(example: TrainingExample, ranking: Sequence[str]) -> TrainingExample:
    grades = {passage: len(ranking) - place for place, passage in enumerate(ranking)}
    listed = {c.passage.id: c.passage for c in example.candidates}
    best = [listed[p] for p in ranking[:1] if p in listed]
    return replace(example, grades=grades, positives=list(example.positives) or best)
