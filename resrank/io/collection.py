"""Read a collection from disk: queries, passages and qrels as parquet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from resrank.io.manifest import read_checked_json
from resrank.io.parquet import read_columns
from resrank.io.passage_table import PassageTable
from resrank.records import Query, Split

QRELS, GRADED = "qrels.parquet", "graded.parquet"


class Collection:
    """A collection on disk, whose files are read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "manifest.json").is_file():
            raise FileNotFoundError(
                f"{folder} holds no collection (no manifest.json); make one with "
                "`python -m resrank job collect`"
            )
        self.manifest: dict[str, Any] = read_checked_json(folder / "manifest.json")

    def queries(self, *splits: Split) -> list[Query]:
        """Return the queries of the given splits (all splits if none is given), ordered by id."""
        names = ["query_id", "text", "split", "excluded"]
        rows = read_columns(self.folder / "queries.parquet", names).to_pylist()
        queries = [Query(r["query_id"], r["text"], Split(r["split"]), r["excluded"]) for r in rows]
        return [q for q in queries if not splits or q.split in splits]

    def qrels(self, *splits: Split) -> dict[str, dict[str, int]]:
        """Return the judgments of the given splits: query id -> passage id -> grade."""
        return self._judgments(QRELS, splits)

    def graded(
        self, lists: Mapping[str, Iterable[str]], *splits: Split
    ) -> dict[str, dict[str, int]]:
        """Return the judgments in three grades: 0 not relevant, 1 partly, 2 relevant.

        lists: query id -> passage ids. They have grade 0 without a judgment, if the collection's
        judgments are complete. Raises ValueError if the collection does not state how its grades
        map to these.
        """
        if not self.has_grades:
            raise ValueError(
                f"{self.folder} does not say how its grades map to three; give its entry "
                "`grades_from: [1, 2]`, for example: its lowest grades that count as 1 and as 2"
            )
        judged = self._judgments(GRADED, splits)
        if not self.complete:
            return judged
        return {q: dict.fromkeys(lists.get(q, ()), 0) | grades for q, grades in judged.items()}

    @property
    def has_grades(self) -> bool:
        """Return whether its judgments map to three grades."""
        return (self.folder / GRADED).is_file()

    @property
    def complete(self) -> bool:
        """Return whether passages without a judgment have the lowest grade, by its entry."""
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
        """Return all passages, ordered by id, read in blocks."""
        return PassageTable(self.folder / "passages.parquet")

    @property
    def hash(self) -> str:
        """Return the content hash that the manifest states."""
        return str(self.manifest["hash"])
