"""Options of each kind of first stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    TypeAdapter,
)

from resrank.model.options import EncoderOptions
from resrank.options import Strict


class Bm25Stage(Strict):
    """BM25 over the whole collection, by bm25s with Lucene-like analysis."""

    kind: Literal["bm25"]
    k1: float = Field(0.9, ge=0, description="Term-frequency saturation.")
    b: float = Field(0.4, ge=0, le=1, description="Length normalisation.")
    depth: int = Field(100, ge=1, description="Candidates a query.")


class ImportedStage(Strict):
    """The lists that came with a `candidates` collection."""

    kind: Literal["imported"]
    depth: int = Field(100, ge=1, description="Candidates a query; longer lists are cut.")


class RunStage(Strict):
    """A TREC run over a collection's passages."""

    kind: Literal["run"]
    path: Path = Field(description="The TREC run file.")
    depth: int = Field(100, ge=1, description="Candidates a query; longer lists are cut.")


class FrozenStage(Strict):
    """Candidates that were frozen before and exported: the same bytes again."""

    kind: Literal["frozen"]
    path: Path = Field(description="The folder that `export-candidates` wrote.")
    hash: str = Field(pattern="^[0-9a-f]{64}$", description="The lists' hash; others are refused.")
    depth: int = Field(100, ge=1, description="Depth that they were frozen at.")


class DenseStage(Strict):
    """Exact search over the embeddings of every passage."""

    kind: Literal["dense"]
    encoder: EncoderOptions = Field(
        EncoderOptions(), description="The encoder; its `model` may be 'trained:<system>'."
    )
    depth: int = Field(100, ge=1, description="Candidates a query.")


class FusionStage(Strict):
    """Reciprocal-rank fusion of other first stages."""

    kind: Literal["fusion"]
    of: list[str] = Field(min_length=2, description="Names of the first stages to fuse.")
    k: int = Field(60, ge=0, description="Constant of reciprocal-rank fusion.")
    depth: int = Field(100, ge=1, description="Candidates a query.")


FirstStage = Annotated[
    Bm25Stage | DenseStage | FrozenStage | FusionStage | ImportedStage | RunStage,
    Field(discriminator="kind"),
]


def parse_first_stage(value: Any) -> FirstStage:
    """A first stage's entry as the rules pass it (a JSON object)."""
    adapter: TypeAdapter[FirstStage] = TypeAdapter(FirstStage)
    return adapter.validate_python(value)
