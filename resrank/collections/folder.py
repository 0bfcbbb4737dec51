"""A collection in BEIR layout: corpus.jsonl, queries.jsonl, qrels/<split>.tsv."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from resrank.collections.checks import check_counts, check_overlap
from resrank.collections.jsonl import DataError, id_field, read_jsonl, text_field
from resrank.collections.origin import facts, local_folder
from resrank.collections.sampling import sample
from resrank.config import BeirCollection
from resrank.records import Passage, Query, Split
from resrank.store import write_collection
from resrank.trec import read_qrels


def collect(spec: BeirCollection, out: Path) -> None:
    """Read the folder, check it, and write it in the common form under `out`."""
    folder = local_folder(spec)
    files = split_files(spec, folder)
    passages = read_passages(folder / "corpus.jsonl")
    texts = read_queries(folder / "queries.jsonl")
    judged = {split: read_qrels(path) for split, path in files.items()}
    qrels: dict[str, dict[str, int]] = {}
    splits: dict[str, Split] = {}
    in_several = 0
    for split, found in judged.items():
        check_overlap(found, texts, passages, files[split])
        for query_id, grades in found.items():
            if query_id in splits:
                in_several += 1
                continue
            splits[query_id], qrels[query_id] = split, grades
    check_counts(spec.counts, len(passages), judged[Split.TEST], folder)
    queries = [Query(q, text, splits.get(q, Split.HELD_OUT)) for q, text in texts.items()]
    queries += [Query(q, "", split) for q, split in splits.items() if q not in texts]
    write_collection(
        out,
        sample(queries, spec.test_sample, spec.train_sample),
        [Passage(p, text) for p, text in passages.items()],
        qrels,
        config=spec.model_dump(mode="json"),
        inputs={p.name: p for p in _inputs(folder, files)},
        **facts(spec),
        test_sample=spec.test_sample,
        train_sample=spec.train_sample,
        text_fields="title + ' ' + text",
        queries_in_several_splits=in_several,
    )


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


def read_passages(path: Path) -> dict[str, str]:
    """Passage id -> title and text joined by a space. An empty passage is kept."""
    passages: dict[str, str] = {}
    for number, row in tqdm(read_jsonl(path), desc="reading passages", unit="passage"):
        where = f"{path}:{number}"
        passage_id = id_field(row, "_id", where)
        if passage_id in passages:
            raise DataError(f"{where}: passage id {passage_id!r} stands twice; ids must be unique")
        parts = text_field(row, "title", where, ""), text_field(row, "text", where)
        passages[passage_id] = " ".join(parts).strip()
    if not passages:
        raise DataError(f"{path}: no passage")
    return passages


def read_queries(path: Path) -> dict[str, str]:
    """Query id -> text. An empty query is an error: no system can answer it."""
    queries: dict[str, str] = {}
    for number, row in read_jsonl(path):
        where = f"{path}:{number}"
        query_id, text = id_field(row, "_id", where), text_field(row, "text", where)
        if query_id in queries:
            raise DataError(f"{where}: query id {query_id!r} stands twice; ids must be unique")
        if not text.strip():
            raise DataError(f"{where}: query {query_id!r} is empty; give it a text or remove it")
        queries[query_id] = text
    if not queries:
        raise DataError(f"{path}: no query")
    return queries


def _inputs(folder: Path, files: dict[Split, Path]) -> list[Path]:
    return [folder / "corpus.jsonl", folder / "queries.jsonl", *files.values()]
