"""A teacher's orderings as training labels, as in stage two of ResRank (docs/papers.md, fact 7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from resrank.io.text import JSON_NAMES, DataError, id_field, read_jsonl, repeated
from resrank.options import short_repr
from resrank.records import TrainingExample


def taught_by(examples: Sequence[TrainingExample], path: Path) -> list[TrainingExample]:
    """Return the examples whose queries the teacher ordered, graded by its orderings.

    The first of n ordered passages has grade n, the last 1, any other candidate 0. InfoNCE's
    positives stay the judged passages; a query without any has the teacher's first passage. Raises
    DataError on a malformed line, and if the file orders none of the queries.
    """
    orderings = read_orderings(path)
    examples_by_id = {e.query.id: e for e in examples}
    taught = [
        _taught(examples_by_id[q], ranking)
        for q, ranking in orderings.items()
        if q in examples_by_id
    ]
    if not taught:
        raise DataError(
            f"{path} orders none of the {len(examples)} training queries; its query ids begin with "
            f"{_first_ids(orderings) or 'nothing'}, the collection's with "
            f"{_first_ids(examples_by_id)}"
        )
    return taught


def read_orderings(path: Path) -> dict[str, list[str]]:
    """Return passage ids, best first, by query id. Raises DataError with file and line."""
    orderings: dict[str, list[str]] = {}
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        query = id_field(row, "query_id", where)
        ranking = row.get("ranking")
        if not isinstance(ranking, list) or not all(isinstance(p, str) for p in ranking):
            kind = JSON_NAMES.get(type(ranking), "text")
            raise DataError(f"{where}: field 'ranking' is {kind}; a list of passage ids is needed")
        if (twice := repeated(ranking)) is not None:
            raise DataError(f"{where}: passage {short_repr(twice)} occurs twice in the ranking")
        if query in orderings:
            raise DataError(
                f"{where}: a second ranking of query {short_repr(query)}; give one per query"
            )
        orderings[query] = ranking
    return orderings


def _taught(example: TrainingExample, ranking: Sequence[str]) -> TrainingExample:
    grades = {passage: len(ranking) - place for place, passage in enumerate(ranking)}
    listed = {c.passage.id: c.passage for c in example.candidates}
    best = [listed[p] for p in ranking[:1] if p in listed]
    return replace(example, grades=grades, positives=list(example.positives) or best)


def _first_ids(ids: Iterable[str]) -> str:
    return ", ".join(map(repr, islice(ids, 3)))
