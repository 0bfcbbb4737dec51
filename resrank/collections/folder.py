"""A collection in BEIR layout: corpus.jsonl, queries.jsonl, qrels/<split>.tsv."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from resrank.collections.checks import check_passages, check_queries
from resrank.collections.kinds import BeirCollection
from resrank.collections.origin import facts, local_folder
from resrank.collections.sampling import sample
from resrank.collections.three_grades import three_grades
from resrank.io.collection import write_collection
from resrank.io.passage_table import StandsTwice
from resrank.io.text import DataError, id_field, read_jsonl, text_field
from resrank.io.trec import read_qrels
from resrank.options import shown
from resrank.records import Passage, Query, Split


def collect(spec: BeirCollection, out: Path) -> None:
    """Read the folder, check it, and write it in the common form under `out`."""
    folder = local_folder(spec)
    files = split_files(spec, folder)
    texts = read_queries(folder / "queries.jsonl")
    judged = {split: read_qrels(path) for split, path in files.items()}
    qrels: dict[str, dict[str, int]] = {}
    splits: dict[str, Split] = {}
    in_several = 0
    for split, found in judged.items():
        check_queries(found, texts, files[split])
        for query_id, grades in found.items():
            if query_id in splits:
                in_several += 1
                continue
            splits[query_id], qrels[query_id] = split, grades
    queries = [Query(q, text, splits.get(q, Split.HELD_OUT)) for q, text in texts.items()]
    queries += [Query(q, "", split) for q, split in splits.items() if q not in texts]
    corpus = folder / "corpus.jsonl"
    try:
        write_collection(
            out,
            sample(queries, spec.test_sample, spec.train_sample),
            read_passages(corpus),
            qrels,
            config=spec.model_dump(mode="json"),
            graded=three_grades(qrels, spec.grades_from),
            inputs={p.name: p for p in _inputs(folder, files)},
            check=lambda seen: check_passages(
                seen,
                {files[split]: found for split, found in judged.items()},
                spec.counts,
                files[Split.TEST],
                folder,
            ),
            **facts(spec),
            test_sample=spec.test_sample,
            train_sample=spec.train_sample,
            text_fields="title + ' ' + text",
            queries_in_several_splits=in_several,
        )
    except StandsTwice as error:
        raise DataError(f"{corpus}:{_second_line(corpus, error.passage_id)}: {error}") from error


def split_files(spec: BeirCollection, folder: Path) -> dict[Split, Path]:
    """The qrels file of each split that the folder has; the test file must be there.

    Test first: a query judged in several files belongs to the first of test, dev, train.
    """
    named = {Split.TEST: spec.test, Split.DEV: spec.dev, Split.TRAIN: spec.train}
    files = {s: folder / "qrels" / f"{name}.tsv" for s, name in named.items() if name}
    if not files[Split.TEST].is_file():
        there = sorted(p.name for p in (folder / "qrels").glob("*.tsv"))
        raise DataError(f"no {files[Split.TEST]}; the folder's qrels: {', '.join(there) or 'none'}")
    return {split: path for split, path in files.items() if path.is_file()}


def read_passages(path: Path) -> Iterator[Passage]:
    """Passages, title and text joined by a space. An empty passage is kept."""
    for number, row in tqdm(read_jsonl(path), desc="reading passages", unit="passage"):
        where = f"{path}:{number}"
        passage_id = id_field(row, "_id", where)
        parts = text_field(row, "title", where, ""), text_field(row, "text", where)
        yield Passage(passage_id, " ".join(parts).strip())


def read_queries(path: Path) -> dict[str, str]:
    """Query id -> text. An empty query is an error: no system can answer it."""
    queries: dict[str, str] = {}
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        query_id, text = id_field(row, "_id", where), text_field(row, "text", where)
        if query_id in queries:
            raise DataError(f"{where}: query id {shown(query_id)} stands twice; ids must be unique")
        if not text.strip():
            raise DataError(
                f"{where}: query {shown(query_id)} is empty; give it a text or remove it"
            )
        queries[query_id] = text
    if not queries:
        raise DataError(f"{path}: no query")
    return queries


def _second_line(path: Path, passage_id: str) -> int:
    """Where an id stands for the second time."""
    rows = read_jsonl(path)
    lines = (n for n, row in rows if id_field(row, "_id", f"{path}:{n}") == passage_id)
    next(lines)
    return next(lines)


def _inputs(folder: Path, files: dict[Split, Path]) -> list[Path]:
    return [folder / "corpus.jsonl", folder / "queries.jsonl", *files.values()]
