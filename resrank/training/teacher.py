"""A teacher's rankings as training labels, as in stage two of ResRank (docs/papers.md, fact 7)."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from resrank.io.manifest import check_output
from resrank.io.text import JSON_NAMES, DataError, id_field, read_jsonl, repeated
from resrank.io.trec import read_run
from resrank.options import short_repr
from resrank.records import TrainingExample
from resrank.training.mixture import by_collection
from resrank.training.teacher_options import of_collections

TRANSCRIPT = (
    "a recorded call of a language model, not a ranking; define a system that replays the "
    "transcript with the prompt and window that it was recorded with, `kind: rankgpt` with `llm: "
    "{kind: replay, transcript: FILE}`, and name it as `teacher: system:<name>`. For lines of "
    "prompt and response, `python -m resrank replay` writes a run, which is a teacher too"
)
Scores = Mapping[str, float]
"""Passage id -> the teacher's score, best first."""


def taught_by(
    examples: Sequence[TrainingExample], file: Path, *, labels_first: bool = False
) -> list[TrainingExample]:
    """Return the examples whose queries the teacher ranked, graded by its rankings.

    The first of n ranked passages has grade n, the last 1, any other candidate 0. InfoNCE's
    positives stay the judged passages; a query without any has the teacher's first passage.

    file: the teacher's, one per collection if its name has `{collection}` in it. labels_first: the
    judged relevant passages come before all others, by grade. Raises DataError if a file is
    malformed, or if it ranks none of a collection's queries.
    """
    return [
        _taught(example, list(ranking), labels_first)
        for example, ranking in _with_rankings(examples, file)
        if ranking is not None
    ]


def scored_by(examples: Sequence[TrainingExample], file: Path) -> list[TrainingExample]:
    """Return the examples, each with the scores that a teacher gives to its candidates.

    file: as `taught_by` takes it. Raises DataError if a file is malformed, or if it ranks none
    of a collection's queries.
    """
    return [
        replace(example, teacher_scores=ranking or {})
        for example, ranking in _with_rankings(examples, file)
    ]


def read_rankings(path: Path) -> dict[str, Scores]:
    """Return a teacher's scores by query id, best first, from a TREC run or JSONL.

    A run is ordered by its scores; equal ones keep the file's order. In JSONL, the first of n
    passages has score n, the last 1. Raises DataError that names the line of a mistake, and Damaged
    if a file differs from its manifest.
    """
    check_output(path)
    if is_json(path):
        return {
            query: {passage: len(ranking) - place for place, passage in enumerate(ranking)}
            for query, ranking in read_orderings(path).items()
        }
    return {
        query: dict(sorted(ranking, key=lambda item: -item[1]))
        for query, ranking in read_run(path).items()
    }


def is_json(path: Path) -> bool:
    """Return whether a file begins as JSON, unlike a TREC run. DataError if it is unreadable."""
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    return start.removeprefix(BOM_UTF8).lstrip().startswith(b"{")


def transcript_in(path: Path) -> str | None:
    """Return what to do with a file that is a language model's transcript; None if it is none."""
    if not is_json(path):
        return None
    number, row = next(read_jsonl(path), (0, {}))
    return f"{path}:{number}: {TRANSCRIPT}" if "prompt" in row else None


def read_orderings(path: Path) -> dict[str, list[str]]:
    """Return passage ids, best first, by query id. Raises DataError with file and line."""
    orderings: dict[str, list[str]] = {}
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        if "prompt" in row:
            raise DataError(f"{where}: {TRANSCRIPT}")
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


def _with_rankings(
    examples: Sequence[TrainingExample], file: Path
) -> Iterator[tuple[TrainingExample, Scores | None]]:
    """Yield each example with the teacher's ranking of its candidates; None if there is none."""
    for name, part in by_collection(examples).items():
        (path,) = of_collections(file, [name])
        rankings = _rankings_of(part, path)
        yield from ((e, rankings.get(e.id_in_collection)) for e in part)


def _rankings_of(examples: Sequence[TrainingExample], path: Path) -> dict[str, Scores]:
    """Return a teacher's rankings. DataError if none is of the examples' queries."""
    rankings = read_rankings(path)
    ids = {e.id_in_collection for e in examples}
    if examples and not ids & rankings.keys():
        raise DataError(
            f"{path} orders none of the {len(examples)} training queries; its query ids begin with "
            f"{_first_ids(rankings) or 'nothing'}, the collection's with "
            f"{_first_ids(e.id_in_collection for e in examples)}"
        )
    return rankings


def _taught(
    example: TrainingExample, ranking: Sequence[str], labels_first: bool
) -> TrainingExample:
    if labels_first:
        ranking = _labels_first(example, ranking)
    grades = {passage: len(ranking) - place for place, passage in enumerate(ranking)}
    listed = {c.passage.id: c.passage for c in example.candidates}
    best = [listed[p] for p in ranking[:1] if p in listed]
    return replace(example, grades=grades, positives=list(example.positives) or best)


def _labels_first(example: TrainingExample, ranking: Sequence[str]) -> list[str]:
    """Return the judged relevant passages by grade, then the others; ties keep their order.

    Of equal grades, a candidate that the teacher did not rank comes last.
    """
    listed = dict.fromkeys([*ranking, *(c.passage.id for c in example.candidates)])
    relevant = [p for p in listed if example.grades.get(p, 0) > 0]
    relevant.sort(key=lambda p: -example.grades[p])
    return [*relevant, *(p for p in ranking if p not in relevant)]


def _first_ids(ids: Iterable[str]) -> str:
    return ", ".join(map(repr, islice(ids, 3)))
