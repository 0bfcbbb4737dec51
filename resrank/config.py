"""The typed suite: the one definition of what a configuration may hold."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    Tag,
    TypeAdapter,
    field_validator,
    model_validator,
)

from resrank.model.options import EncoderOptions
from resrank.registry import resolve
from resrank.shown import shown
from resrank.strict import NAME, NAME_OR_SHAPE, SHAPE, Strict

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
Seed = Annotated[int, Field(ge=0)]
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


class System(Strict):
    """A reranker: its kind, its options, and how it is trained if it is."""

    kind: str = Field(description="A registered kind, or 'package.module:Class'.")
    label: str | None = Field(None, description="Name in tables and figures.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the kind; see the kind's Options."
    )
    training: dict[str, Any] | None = Field(
        None, description="Training options of the kind; unset if the system is not trained."
    )
    trained_on: str = Field(
        "auto",
        description="Collection whose train split is used. 'auto': the suite's first BEIR folder "
        "with a train split, else docstrings.",
    )
    trained_with: str = Field(
        "bm25", description="First stage whose lists it is trained on; it must not itself stand on "
        "a model that is trained."
    )  # fmt: skip
    seeds: list[Seed] | None = Field(
        None, min_length=1, description="Training seeds, in place of the suite's."
    )
    launcher: str = Field(
        "python", description="Command that starts a training job: `accelerate launch "
        "--config_file config/accelerate/ddp.yaml` trains on several devices."
    )  # fmt: skip
    threads: int = Field(
        2, ge=1, description="Processor threads of a training or reranking job. Small models run "
        "faster as two jobs of one thread than as one of two."
    )  # fmt: skip

    @model_validator(mode="after")
    def _no_training_no_options_of_it(self) -> System:
        fields = type(self).model_fields
        about = [
            name
            for name in ("launcher", "seeds", "trained_on", "trained_with")
            if getattr(self, name) != fields[name].default
        ]
        if self.training is None and about:
            raise ValueError(
                f"{', '.join(about)}: of a system that is trained, but there is no "
                "`training`; an entry replaces the library's whole: copy its `training` too, or "
                "say `training: {}`"
            )
        return self

    @model_validator(mode="after")
    def _check_options(self) -> System:
        cls = resolve(self.kind)
        lacking = [n for n in ("Options", "load", "rerank", "rerank_many") if not hasattr(cls, n)]
        if lacking:
            raise ValueError(
                f"system kind {self.kind!r} is no reranker: it has no {', '.join(lacking)} (the "
                "protocol stands in resrank/reranker.py)"
            )
        cls.Options.model_validate(self.options)
        if self.training is not None:
            if not hasattr(cls, "Training"):
                raise ValueError(f"system kind {self.kind!r} cannot be trained; drop 'training'")
            cls.Training.model_validate(self.training)
            if hasattr(cls, "check_training"):
                cls.check_training(cls.Options.model_validate(self.options))
        return self


class Measurement(Strict):
    """How cost is measured, in a process of its own."""

    scenarios: list[Literal["SingleStream", "Offline"]] = Field(
        ["SingleStream", "Offline"], description="MLPerf's: one query at a time, which is always "
        "measured, and all at once, for throughput."
    )  # fmt: skip
    queries: int = Field(20, ge=1, description="Queries timed, the first by hash of their id.")
    warmup: int = Field(3, ge=0, description="Queries run before the clock starts.")
    threads: int | None = Field(
        None, ge=1, description="Processor threads; those that Snakemake was given if unset."
    )


class Suite(Strict):
    """One configuration: which collections, first stages, systems, seeds, metrics."""

    name: str = Field(description="Outputs go to results/<name>/.")
    collections: list[str] = Field(min_length=1, description="Names of collections to evaluate.")
    systems: list[str] = Field(min_length=1, description="Names of systems to compare.")
    first_stages: list[str] = Field(["bm25"], min_length=1, description="Names of first stages.")
    metrics: list[str] = Field(
        ["nDCG@10", "MRR@10", "Recall@100"], min_length=1, description="ir_measures names."
    )
    seeds: list[Seed] = Field([1, 2, 3], min_length=1, description="Seeds of trained systems.")
    shards: int = Field(
        1, ge=1, description="Jobs that embedding and reranking a collection are each split into; "
        "the results are the same for any number."
    )  # fmt: skip
    optional: list[str] | None = Field(
        None, description="Collections that the suite goes on without where they cannot be had, "
        "for lack of files or of a network; unset: those whose own entry says `optional`."
    )  # fmt: skip
    offline: bool = Field(
        False, description="Ask no network for data: an optional collection whose files are not "
        "here is skipped, any other is an error before anything runs."
    )  # fmt: skip
    measure: Measurement = Measurement()
    baseline: str | None = Field(
        None, description="The system that the comparison's marks of significance are against; "
        "unset: the best of each candidate set."
    )  # fmt: skip
    scale: int = Field(
        1, ge=1, description="Divide layers and widths of models with random weights "
        "(`random:<hub id>`) by this, for machines that the published shapes are too large for."
    )  # fmt: skip
    ablation: str | None = Field(
        None, description="The system that others differ from by one choice: adds a table of what "
        "each choice is worth."
    )  # fmt: skip
    sensitivity: list[str] = Field(
        [], description="Systems that are run again with other batches, number formats, candidate "
        "orders and seeds: adds a table of what that changes."
    )  # fmt: skip
    title: str | None = Field(None, description="Heading of the tables.")
    demonstration: bool = Field(
        False, description="Say beside every result that it is a demonstration, not a benchmark."
    )
    define: Definitions = Field(
        default_factory=lambda: Definitions(),
        description="Collections, first stages and systems of this suite's own.",
    )

    @field_validator("name")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        return plain_name(value)

    @field_validator("collections", "systems", "first_stages", "metrics", "seeds", "sensitivity")
    @classmethod
    def _each_once(cls, value: list[Any]) -> list[Any]:
        twice = sorted(str(item) for item, count in Counter(value).items() if count > 1)
        if twice:
            raise ValueError(f"{', '.join(twice)} stands twice; name each once")
        return value

    @model_validator(mode="after")
    def _optional_of_its_own(self) -> Suite:
        for name in self.optional or []:
            if name not in self.collections:
                raise ValueError(
                    f"optional: {name!r} is not among the suite's collections: "
                    f"{', '.join(self.collections)}"
                )
        return self

    @field_validator("metrics")
    @classmethod
    def _known_metrics(cls, value: list[str]) -> list[str]:
        from resrank.evaluation.metrics import parse_metric

        for name in value:
            parse_metric(name)
        return value


class Definitions(Strict):
    """Named collections, first stages and systems: the library, or a suite's own additions."""

    collections: dict[str, Collection] = Field(default_factory=dict)
    first_stages: dict[str, FirstStage] = Field(default_factory=dict)
    systems: dict[str, System] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _plain_names(self) -> Definitions:
        for section in (self.collections, self.first_stages, self.systems):
            for name in section:
                plain_name(name)
        return self


def plain_name(value: str) -> str:
    """Names become folders: letters, digits, '_', '-' and '.' only."""
    if not PLAIN.fullmatch(value):
        raise ValueError(f"name {shown(value)}: use letters, digits, '_', '-' and '.' only")
    return value


Suite.model_rebuild()


def parse_collection(value: Any) -> Collection:
    """A collection's entry as the rules pass it (a JSON object)."""
    adapter: TypeAdapter[Collection] = TypeAdapter(Collection)
    return adapter.validate_python(value)


def parse_first_stage(value: Any) -> FirstStage:
    """A first stage's entry as the rules pass it (a JSON object)."""
    adapter: TypeAdapter[FirstStage] = TypeAdapter(FirstStage)
    return adapter.validate_python(value)
