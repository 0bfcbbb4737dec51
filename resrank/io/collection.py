"""Collections on disk: queries, passages and qrels as parquet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import pyarrow as pa

from resrank.io.atomic import atomic_folder
from resrank.io.candidates import RankedList, write_candidates
from resrank.io.hashing import LinesHash
from resrank.io.manifest import files_below, read_checked_json, write_manifest
from resrank.io.parquet import read_columns, write_table
from resrank.io.passage_table import PassageTable, sorted_by_id, write_passages
from resrank.records import Passage, Qrels, Query, Split

GRADED = "graded.parquet"


class Collection:
    """A collection on disk, read lazily: `queries`, `qrels`, `passages`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "manifest.json").is_file():
            raise FileNotFoundError(
                f"{folder} holds no collection (no manifest.json); make one with "
                "`python -m resrank collect`"
            )
        self.manifest: dict[str, Any] = read_checked_json(folder / "manifest.json")

    def queries(self, *splits: Split) -> list[Query]:
        """Queries of the given splits (all if none is given), ordered by id."""
        names = ["query_id", "text", "split", "excluded"]
        rows = read_columns(self.folder / "queries.parquet", names).to_pylist()
        queries = [Query(r["query_id"], r["text"], Split(r["split"]), r["excluded"]) for r in rows]
        return [q for q in queries if not splits or q.split in splits]

    def qrels(self, *splits: Split) -> dict[str, dict[str, int]]:
        """Judgments of the given splits' queries; a query judged without a candidate stays."""
        return self._judgments("qrels.parquet", splits)

    def graded(
        self, lists: Mapping[str, Iterable[str]], *splits: Split
    ) -> dict[str, dict[str, int]]:
        """Judgments in three grades: 0 not relevant, 1 partly, 2 relevant.

        lists: query id -> passage ids, which have grade 0 where nobody judged them, if the
        collection's judgments are complete. Raises ValueError if the collection does not say
        how its own grades map to these.
        """
        if not self.has_grades:
            raise ValueError(
                f"{self.folder} does not say how its grades map to three; give its entry "
                "`grades_from: [1, 2]`, say: the lowest own grades that count as 1 and as 2"
            )
        judged = self._judgments(GRADED, splits)
        if not self.complete:
            return judged
        return {q: dict.fromkeys(lists.get(q, ()), 0) | found for q, found in judged.items()}

    @property
    def has_grades(self) -> bool:
        """Whether its judgments map to three grades."""
        return (self.folder / GRADED).is_file()

    @property
    def complete(self) -> bool:
        """Whether a passage without a judgment has the lowest grade, by what the judgments are."""
        return bool(self.manifest["config"].get("complete", False))

    def _judgments(self, name: str, splits: Sequence[Split]) -> dict[str, dict[str, int]]:
        wanted = {q.id for q in self.queries(*splits)}
        judged: dict[str, dict[str, int]] = {}
        names = ["query_id", "passage_id", "grade"]
        table = read_columns(self.folder / name, names).to_pydict()
        columns = (table["query_id"], table["passage_id"], table["grade"])
        for query_id, passage_id, grade in zip(*columns, strict=True):
            if query_id in wanted:
                judged.setdefault(query_id, {})[passage_id] = grade
        return judged

    @property
    def passages(self) -> PassageTable:
        """Every passage, ordered by id; read as it is gone through."""
        return PassageTable(self.folder / "passages.parquet")

    @property
    def hash(self) -> str:
        """The content hash that the manifest states."""
        return str(self.manifest["hash"])


class Seen:
    """What was seen of a stream of passages: how many, how many empty, which of the judged."""

    def __init__(self, judged: Set[str]) -> None:
        self.judged = judged
        self.found: set[str] = set()
        self.passages = 0
        self.empty = 0
        self.first = ""

    def passing(self, passages: Iterable[Passage]) -> Iterator[Passage]:
        """The passages, counted as they go by."""
        for passage in passages:
            self.first = self.first or passage.id
            self.passages += 1
            self.empty += not passage.text.strip()
            if passage.id in self.judged:
                self.found.add(passage.id)
            yield passage


def write_collection(
    folder: Path,
    queries: Iterable[Query],
    passages: Iterable[Passage],
    qrels: Qrels,
    *,
    config: Any,
    inputs: Mapping[str, Path | str],
    check: Callable[[Seen], None] | None = None,
    graded: Qrels | None = None,
    imported: Mapping[str, RankedList] | None = None,
    **facts: Any,
) -> None:
    """Write a collection whole: rows sorted by id, a content hash and counts in its manifest.

    A judged query without a text is a query with the text "": no system can answer it, and it
    stays in every mean. passages: gone through once, never held all at once. check: raises
    DataError on passages that are not what they should be; nothing is written then. graded: the
    judgments in three grades, where the collection has them. imported: candidate lists that came
    with the collection.
    """
    queries = sorted(queries, key=lambda q: q.id)
    judgments = _triples(qrels)
    seen = Seen({p for _, p, _ in judgments})
    digest = LinesHash()
    with atomic_folder(folder) as out:
        digest.update(json.dumps([q.id, q.text, q.split, q.excluded]) for q in queries)
        counted = seen.passing(sorted_by_id(passages))
        write_passages(out / "passages.parquet", digest.passing(counted, _line))
        digest.update(map(json.dumps, judgments))
        if check is not None:
            check(seen)
        query_rows = [
            {"query_id": q.id, "text": q.text, "split": str(q.split), "excluded": q.excluded}
            for q in queries
        ]
        query_schema = pa.schema(
            [(n, pa.string()) for n in ("query_id", "text", "split", "excluded")]
        )
        write_table(out / "queries.parquet", pa.Table.from_pylist(query_rows, query_schema))
        write_qrels_parquet(out / "qrels.parquet", judgments)
        if graded is not None:
            write_qrels_parquet(out / GRADED, _triples(graded))
        if imported is not None:
            write_candidates(out / "imported.parquet", imported)
        write_manifest(
            out / "manifest.json",
            inputs=inputs,
            config=config,
            outputs=files_below(out),
            hash=digest.hexdigest(),
            counts={
                "passages": seen.passages,
                "empty_passages": seen.empty,
                "judged_queries_without_text": sum(not q.text for q in queries),
                "queries": {str(s): sum(q.split == s for q in queries) for s in Split},
                "judgments": len(judgments),
                "judged_passages_absent": len(seen.judged - seen.found),
            },
            **facts,
        )


def _triples(qrels: Qrels) -> list[tuple[str, str, int]]:
    return [(q, p, g) for q in sorted(qrels) for p, g in sorted(qrels[q].items())]


def _line(passage: Passage) -> str:
    return json.dumps([passage.id, passage.text])


def write_qrels_parquet(path: Path, judgments: Sequence[tuple[str, str, int]]) -> None:
    """Judgments as (query_id, passage_id, grade) rows."""
    schema = pa.schema(
        [("query_id", pa.string()), ("passage_id", pa.string()), ("grade", pa.int32())]
    )
    columns = {n: [row[i] for row in judgments] for i, n in enumerate(schema.names)}
    write_table(path, pa.table(columns, schema))
