"""The kind `run`: the user's own TREC run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from resrank.candidates.base import SPLITS, FirstStageKind, StageInputs, WrittenLists
from resrank.io.hashing import sha256_file
from resrank.io.text import DataError
from resrank.io.trec import read_run

if TYPE_CHECKING:
    from resrank.io.candidates import RankedList


class RunStage(FirstStageKind):
    """A TREC run over a collection's passages."""

    kind: Literal["run"]
    path: Path = Field(description="The TREC run file.")
    depth: int = Field(100, ge=1, description="Candidates per query; longer lists are cut.")

    def local_paths(self) -> dict[str, Path]:
        """Return the run."""
        return {"path": self.path}

    def write(self, inputs: StageInputs, out: Path) -> WrittenLists:
        """Write the lists; the manifest has the run's hash."""
        return super().write(inputs, out)._replace(inputs={"run": sha256_file(self.path)})

    def search(self, inputs: StageInputs) -> Mapping[str, RankedList]:
        """Return the run's lists in the order in which trec_eval would read them.

        Raises DataError if a passage is not in the collection, or no query is judged there.
        """
        from resrank.evaluation.metrics import trec_order

        collection, run = inputs.collection, read_run(self.path)
        listed = {p for ranked in run.values() for p, _ in ranked}
        absent = sorted(listed - collection.passages.of(listed).keys())
        if absent:
            raise DataError(
                f"{self.path}: {len(absent)} passages are not in the collection "
                f"({', '.join(map(repr, absent[:3]))}, ...); a run must be of this collection"
            )
        if not any(q.id in run for q in collection.queries(*SPLITS)):
            raise DataError(f"{self.path}: no query of the run ({min(run)!r}, ...) is judged here")
        scores = {q: dict(ranked) for q, ranked in run.items()}
        lists = {q: [(p, scores[q][p]) for p in trec_order(r)] for q, r in run.items()}
        return self.cut(lists, inputs.queries)
