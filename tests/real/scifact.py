"""A part of SciFact: some test queries, the passages that they judge, and a sample of the others."""

import json
from pathlib import Path

from resrank.io.hashing import in_hash_order


def write_part(scifact: Path, folder: Path, tested: int, others: int) -> Path:
    """Write a folder in BEIR layout, with the training queries whose passages are in it.

    tested: number of test queries. others: number of passages that these do not judge.
    """
    (folder / "qrels").mkdir(parents=True)
    corpus, queries = (_rows(scifact / f"{name}.jsonl") for name in ("corpus", "queries"))
    test, train = (_pairs(scifact / "qrels" / f"{name}.tsv") for name in ("test", "train"))
    sample = in_hash_order({query for query, _, _ in test}, str)[:tested]
    test = [pair for pair in test if pair[0] in sample]
    passages = {passage for _, passage, _ in test}
    passages.update(in_hash_order(corpus.keys() - passages, str)[:others])
    train = [pair for pair in train if pair[1] in passages]
    for name, pairs in (("test", test), ("train", train)):
        _write_pairs(folder / "qrels" / f"{name}.tsv", pairs)
    _write_rows(folder / "corpus.jsonl", corpus, passages)
    _write_rows(folder / "queries.jsonl", queries, {query for query, _, _ in test + train})
    return folder


def _rows(path: Path) -> dict[str, str]:
    """Return the lines of a JSONL file by the id in them."""
    return {json.loads(line)["_id"]: line for line in path.read_text().splitlines()}


def _write_rows(path: Path, rows: dict[str, str], kept: set[str]) -> None:
    path.write_text("".join(f"{line}\n" for name, line in rows.items() if name in kept))


def _pairs(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()[1:]]


def _write_pairs(path: Path, pairs: list[list[str]]) -> None:
    lines = ["query-id\tcorpus-id\tscore", *("\t".join(pair) for pair in pairs)]
    path.write_text("\n".join(lines) + "\n")
