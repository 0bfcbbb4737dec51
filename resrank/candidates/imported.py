"""The kind `imported`: the lists that came with a collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from resrank.candidates.base import FirstStageKind, StageInputs

if TYPE_CHECKING:
    from resrank.collections.base import CollectionKind
    from resrank.io.candidates import RankedList


class ImportedStage(FirstStageKind):
    """The lists that came with a `candidates` collection."""

    kind: Literal["imported"]
    depth: int = Field(100, ge=1, description="Candidates per query; longer lists are cut.")

    def suits(self, collection: CollectionKind) -> bool:
        """Return whether lists come with the collection."""
        return collection.brings_lists

    def search(self, inputs: StageInputs) -> Mapping[str, RankedList]:
        """Return the collection's lists."""
        from resrank.io.candidates import read_candidates

        lists = read_candidates(inputs.collection.folder / "imported.parquet")
        return self.cut(lists, inputs.queries)
