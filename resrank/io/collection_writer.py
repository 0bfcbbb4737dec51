"""Write a collection: queries, passages and qrels as parquet, and a manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from resrank.io.atomic import atomic_folder
from resrank.io.candidates import write_candidates
from resrank.io.collection import GRADED, QRELS
from resrank.io.collection_content import CollectionContent, PassageCounts
from resrank.io.hashing import LinesHash
from resrank.io.manifest import files_below, write_manifest
from resrank.io.parquet import write_table
from resrank.io.passage_table import sorted_by_id, write_passages
from resrank.records import Passage, Qrels, Query, Split

QUERY_SCHEMA = pa.schema([(n, pa.string()) for n in ("query_id", "text", "split", "excluded")])
QRELS_SCHEMA = pa.schema(
    [("query_id", pa.string()), ("passage_id", pa.string()), ("grade", pa.int32())]
)
Judgment = tuple[str, str, int]
"""(query id, passage id, grade)."""


def write_collection(
    folder: Path,
    content: CollectionContent,
    config: Any,
    inputs: Mapping[str, Path | str],
    check: Callable[[PassageCounts], None] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a whole collection or nothing: rows sorted by id, a content hash, counts.

    A judged query without a text is a query with the text "": no system can answer it, and it
    stays in every mean. Passages are never held in memory all at once. config, inputs, facts: for
    the manifest. check: raises DataError on unexpected passages; nothing is written then.
    """
    queries = sorted(content.queries, key=lambda q: q.id)
    judgments = _judgments(content.qrels)
    counts = PassageCounts({passage_id for _, passage_id, _ in judgments})
    digest = LinesHash()
    with atomic_folder(folder) as out:
        digest.update(json.dumps([q.id, q.text, q.split, q.excluded]) for q in queries)
        counted = counts.count(sorted_by_id(content.passages))
        write_passages(out / "passages.parquet", digest.passing(counted, _line), content.titled)
        digest.update(map(json.dumps, judgments))
        if check is not None:
            check(counts)
        _write_queries(out / "queries.parquet", queries)
        _write_judgments(out / QRELS, judgments)
        if content.graded is not None:
            _write_judgments(out / GRADED, _judgments(content.graded))
        if content.imported is not None:
            write_candidates(out / "imported.parquet", content.imported)
        write_manifest(
            out / "manifest.json",
            inputs=inputs,
            config=config,
            outputs=files_below(out),
            hash=digest.hexdigest(),
            counts=_counts(queries, judgments, counts),
            **(facts or {}),
        )


def _counts(
    queries: Sequence[Query], judgments: Sequence[Judgment], counts: PassageCounts
) -> dict[str, Any]:
    return {
        "passages": counts.passages,
        "empty_passages": counts.empty,
        "judged_queries_without_text": sum(not q.text for q in queries),
        "queries": {str(s): sum(q.split == s for q in queries) for s in Split},
        "judgments": len(judgments),
        "judged_passages_absent": len(counts.judged - counts.judged_present),
    }


def _judgments(qrels: Qrels) -> list[Judgment]:
    return [(q, p, g) for q in sorted(qrels) for p, g in sorted(qrels[q].items())]


def _line(passage: Passage) -> str:
    return json.dumps([passage.id, passage.text])


def _write_queries(path: Path, queries: Sequence[Query]) -> None:
    rows = [
        {"query_id": q.id, "text": q.text, "split": str(q.split), "excluded": q.excluded}
        for q in queries
    ]
    write_table(path, pa.Table.from_pylist(rows, QUERY_SCHEMA))


def _write_judgments(path: Path, judgments: Sequence[Judgment]) -> None:
    columns = {n: [row[i] for row in judgments] for i, n in enumerate(QRELS_SCHEMA.names)}
    write_table(path, pa.table(columns, QRELS_SCHEMA))
