"""The kind `fusion`: reciprocal-rank fusion of other first stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from resrank.candidates.base import FirstStageKind, StageInputs
from resrank.candidates.reciprocal_rank import fused_scores

if TYPE_CHECKING:
    from resrank.io.candidates import RankedList


class FusionStage(FirstStageKind):
    """Reciprocal-rank fusion of other first stages."""

    kind: Literal["fusion"]
    of: list[str] = Field(min_length=2, description="Names of the first stages to fuse.")
    k: int = Field(60, ge=0, description="Constant of reciprocal-rank fusion.")

    def names_of_fused(self) -> list[str]:
        """Return the fused first stages."""
        return self.of

    def search(self, inputs: StageInputs) -> Mapping[str, RankedList]:
        """Return the fused lists. ValueError names first stages without candidates."""
        from resrank.io.candidates import read_candidates

        missing = [name for name in self.of if name not in inputs.fused]
        if missing:
            raise ValueError(f"no candidates given for {', '.join(missing)}: give `fused`")
        return self.fuse([read_candidates(inputs.fused[name]) for name in self.of])

    def fuse(self, stages: Sequence[Mapping[str, RankedList]]) -> dict[str, RankedList]:
        """Return each query's passages by their fused score; equal scores by passage id."""
        lists: dict[str, RankedList] = {}
        for query_id in sorted({q for stage in stages for q in stage}):
            rankings = ([p for p, _ in stage.get(query_id, [])] for stage in stages)
            scores = fused_scores(rankings, self.k)
            ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
            lists[query_id] = ranked[: self.depth]
        return lists
