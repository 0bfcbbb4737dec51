"""Options of each kind of collection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    Tag,
    TypeAdapter,
    field_validator,
    model_validator,
)

from resrank.options import NAME, NAME_OR_SHAPE, SHAPE, Strict

Grade = Annotated[int, Field(ge=1)]


class RemoteFile(Strict):
    """A file on the network and what it must be."""

    url: str = Field(pattern=r"^https?://", description="Its address.")
    bytes: int = Field(ge=1, description="Its size.")
    checksum: str = Field(
        pattern=r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$", description="md5:... or sha256:..."
    )

    @property
    def name(self) -> str:
        """Its name on disk."""
        return self.url.rpartition("/")[2].partition("?")[0] or "file"


LocalOrRemote = Annotated[
    Annotated[Path, Tag(NAME)] | Annotated[RemoteFile, Tag(SHAPE)], NAME_OR_SHAPE
]


class Counts(Strict):
    """What a collection must hold, so that another version of it is noticed."""

    passages: int | None = Field(None, ge=0, description="Passages.")
    test_queries: int | None = Field(None, ge=0, description="Judged test queries.")
    test_judgments: int | None = Field(None, ge=0, description="Their judgments.")


class _Collection(Strict):
    source: str = Field("not stated", description="Origin, copied to the manifest.")
    version: str = Field("", description="Which version, and why, copied to the manifest.")
    licence: str = Field("not stated", description="Licence, copied to the manifest.")
    terms: str = Field(
        "", description="What must be agreed to; shown before anything is fetched, and recorded."
    )
    counts: Counts = Field(Counts(), description="What must come out; anything else is an error.")
    optional: bool = Field(
        False, description="Whether a suite goes on without it where its files are not there; a "
        "suite's own `optional` has the last word."
    )  # fmt: skip
    relevant_grade: int = Field(
        1, ge=1, description="Lowest grade that counts as relevant for binary metrics."
    )
    grades_from: tuple[Grade, Grade] | None = Field(
        None, description="Lowest own grades that count as 1 (partly relevant) and as 2 (relevant) "
        "of three; alike where there is none between. Needed by systems that give grades."
    )  # fmt: skip
    complete: bool = Field(
        False, description="Whether a passage without a judgment has the lowest of three grades, "
        "by what the judgments are; else it is left out of measures of grades."
    )  # fmt: skip
    test_sample: int | None = Field(
        None, ge=1, description="Evaluate a fixed sample of this many test queries (all if unset)."
    )
    train_sample: int | None = Field(
        None, ge=1, description="Train on a fixed sample of this many train queries (all if unset)."
    )
    first_stages: list[str] | None = Field(
        None, description="First stages for this collection, in place of the suite's."
    )

    @field_validator("grades_from")
    @classmethod
    def _rising(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and value[0] > value[1]:
            raise ValueError(
                f"grades_from: {list(value)}; the grade that counts as 1 must not be above the one "
                "that counts as 2"
            )
        return value


class DocstringsCollection(_Collection):
    """The embedded default: docstrings of the installed scientific packages."""

    kind: Literal["docstrings"]
    packages: list[str] = Field(
        ["numpy", "scipy", "pandas", "matplotlib", "sklearn", "torch", "networkx"],
        description="Importable packages whose docstrings are read.",
    )
    max_words: int = Field(100, ge=10, description="Length at which a passage is cut, in words.")
    grades_from: tuple[Grade, Grade] | None = Field(
        (1, 1), description="As of any collection; here objects near the named ones have grade 1."
    )
    complete: bool = Field(
        True, description='Whether an object that no "See Also" connects has the lowest grade.'
    )


class BeirCollection(_Collection):
    """A folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels/<split>.tsv."""

    kind: Literal["beir"]
    path: Path | None = Field(
        None, description="The folder, relative to the working directory; or an `archive`."
    )
    archive: RemoteFile | None = Field(None, description="A zip of the folder, to be fetched.")
    folder: str = Field("", description="The folder inside the zip.")
    unpacked_bytes: int = Field(
        20_000_000_000, ge=1, description="Most that the zip's content may have."
    )
    test: str = Field("test", description="Name of the qrels file used for testing.")
    train: str | None = Field(
        "train", description="Name of the qrels file used for training, if the folder has it."
    )
    dev: str | None = Field(
        "dev", description="Name of the qrels file used for early stopping, if the folder has it."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> BeirCollection:
        if (self.path is None) == (self.archive is None):
            raise ValueError("give either `path`, a folder, or `archive`, a zip to be fetched")
        return self


class CandidatesCollection(_Collection):
    """Imported candidates with text (RankLLM JSON or JSONL) and TREC qrels."""

    kind: Literal["candidates"]
    path: LocalOrRemote = Field(
        description="The candidates, .json or .jsonl: a file or an address."
    )
    qrels: LocalOrRemote = Field(description="TREC qrels (or BEIR tsv), a file or an address.")


class IrDatasetsCollection(_Collection):
    """A collection by its ir_datasets id, whole or a part of its queries."""

    kind: Literal["ir_datasets"]
    dataset: str = Field(description="Its id, e.g. msmarco-passage/trec-dl-2019/judged.")
    train: str | None = Field(None, description="Id of its train queries and qrels, if any.")
    dev: str | None = Field(None, description="Id of its dev queries and qrels, if any.")
    files: list[RemoteFile] = Field(
        [], description="What it is made of, to be fetched and checked here; ir_datasets fetches "
        "by itself what is not named."
    )  # fmt: skip

    @field_validator("files")
    @classmethod
    def _by_md5(cls, value: list[RemoteFile]) -> list[RemoteFile]:
        for file in value:
            if not file.checksum.startswith("md5:"):
                raise ValueError(f"{file.url}: ir_datasets knows files by md5; give that checksum")
        return value


Collection = Annotated[
    DocstringsCollection | BeirCollection | CandidatesCollection | IrDatasetsCollection,
    Field(discriminator="kind"),
]


def parse_collection(value: Any) -> Collection:
    """A collection's entry as the rules pass it (a JSON object)."""
    adapter: TypeAdapter[Collection] = TypeAdapter(Collection)
    return adapter.validate_python(value)
