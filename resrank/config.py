"""The typed suite: the one definition of what a configuration may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import (
    BaseModel,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from resrank.model.options import EncoderOptions
from resrank.parts import parts
from resrank.registry import resolve, training_files
from resrank.strict import Strict

CONFIG_DIR = Path(__file__).resolve().parent.parent / "config"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
Seed = Annotated[int, Field(ge=0)]
Model = TypeVar("Model", bound=BaseModel)


class _Collection(Strict):
    relevant_grade: int = Field(
        1, ge=1, description="Lowest grade that counts as relevant for binary metrics."
    )
    test_sample: int | None = Field(
        None, ge=1, description="Evaluate a fixed sample of this many test queries (all if unset)."
    )
    train_sample: int | None = Field(
        None, ge=1, description="Train on a fixed sample of this many train queries (all if unset)."
    )
    first_stages: list[str] | None = Field(
        None, description="First stages for this collection, in place of the suite's."
    )


class DocstringsCollection(_Collection):
    """The embedded default: docstrings of the installed scientific packages."""

    kind: Literal["docstrings"]
    packages: list[str] = Field(
        ["numpy", "scipy", "pandas", "matplotlib", "sklearn", "torch", "networkx"],
        description="Importable packages whose docstrings are read.",
    )
    max_words: int = Field(100, ge=10, description="Length at which a passage is cut, in words.")


class BeirCollection(_Collection):
    """A folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels/<split>.tsv."""

    kind: Literal["beir"]
    path: Path = Field(description="The folder, relative to the working directory.")
    test: str = Field("test", description="Name of the qrels file used for testing.")
    train: str | None = Field(
        "train", description="Name of the qrels file used for training, if the folder has it."
    )
    dev: str | None = Field(
        "dev", description="Name of the qrels file used for early stopping, if the folder has it."
    )
    licence: str = Field("not stated", description="Licence, copied to the manifest.")
    source: str = Field("a local folder", description="Origin, copied to the manifest.")


class CandidatesCollection(_Collection):
    """Imported candidates with text (RankLLM JSON or JSONL) and TREC qrels."""

    kind: Literal["candidates"]
    path: Path = Field(description="The candidates file, .json or .jsonl.")
    qrels: Path = Field(description="TREC qrels file (or BEIR tsv).")
    licence: str = Field("not stated", description="Licence, copied to the manifest.")
    source: str = Field("a local file", description="Origin, copied to the manifest.")


Collection = Annotated[
    DocstringsCollection | BeirCollection | CandidatesCollection, Field(discriminator="kind")
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
    Bm25Stage | DenseStage | FusionStage | ImportedStage | RunStage, Field(discriminator="kind")
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
        return self


class Measurement(Strict):
    """How cost is measured: one query at a time, in a process of its own."""

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
    measure: Measurement = Measurement()
    ablation: str | None = Field(
        None, description="The system that others differ from by one choice: adds a table of what "
        "each choice is worth."
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

    @field_validator("collections", "systems", "first_stages", "metrics", "seeds")
    @classmethod
    def _each_once(cls, value: list[Any]) -> list[Any]:
        twice = sorted({str(item) for item in value if value.count(item) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands twice; name each once")
        return value

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
    if not NAME.fullmatch(value):
        raise ValueError(f"name {value!r}: use letters, digits, '_', '-' and '.' only")
    return value


Suite.model_rebuild()


class ConfigError(ValueError):
    """A configuration that cannot be used; says where, what was found, what is allowed."""


class Resolved(BaseModel):
    """A suite with every name replaced by its definition; what the workflow plans from."""

    suite: Suite
    collections: dict[str, Collection]
    first_stages: dict[str, FirstStage]
    systems: dict[str, System]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each (collection, first stage) that systems are compared on."""
        return [(c, stage) for c in self.suite.collections for stage in self.stages_of(c)]

    def stage_parts(self, stage: str) -> list[str]:
        """The trained systems that a first stage stands on, by itself or through a fusion."""
        spec = self.first_stages[stage]
        if spec.kind == "fusion":
            return sorted({part for name in spec.of for part in self.stage_parts(name)})
        return parts(spec.encoder.model) if spec.kind == "dense" else []

    def stages_of(self, collection: str) -> list[str]:
        """The first stages that a collection is evaluated under."""
        spec = self.collections[collection]
        if spec.first_stages is not None:
            return spec.first_stages
        return ["imported"] if spec.kind == "candidates" else self.suite.first_stages

    def seeds_of(self, system: str) -> list[int]:
        """The seeds a system is replicated over; an untrained system has the one seed 0."""
        spec = self.systems[system]
        if spec.training is None:
            return [0]
        return spec.seeds if spec.seeds is not None else self.suite.seeds

    @property
    def trained(self) -> list[str]:
        """The systems that the suite trains, each behind those it stands on."""
        found: dict[str, None] = {}

        def add(system: str) -> None:
            for part in parts(self.systems[system].options):
                add(part)
            if self.systems[system].training is not None:
                found[system] = None

        for name in self.suite.systems:
            add(name)
        return list(found)

    def learns_from(self, system: str) -> list[str]:
        """The collections that a system, or a trained part of it, learns from."""
        spec = self.systems[system]
        own = [self.trained_on(system)] if spec.training is not None else []
        found = own + [name for part in parts(spec.options) for name in self.learns_from(part)]
        return list(dict.fromkeys(found))

    def trained_on(self, system: str) -> str:
        """The collection that a trained system learns from."""
        named = self.systems[system].trained_on
        if named != "auto":
            return named
        for name in self.suite.collections:
            if has_train_split(self.collections[name]):
                return name
        return "docstrings"


def has_train_split(collection: Any) -> bool:
    """Whether a collection can train a system: docstrings, or a BEIR folder with train qrels."""
    if collection.kind == "docstrings":
        return True
    if collection.kind != "beir" or collection.train is None:
        return False
    return bool((collection.path / "qrels" / f"{collection.train}.tsv").is_file())


def load_suite(config: Mapping[str, Any] | Path) -> Resolved:
    """Validate a suite (a mapping or a YAML file) against the library in config/.

    Raises ConfigError that names the key, what was given and what is known.
    """
    source = str(config) if isinstance(config, Path) else "suite"
    mapping = read_yaml(config) if isinstance(config, Path) else dict(config)
    suite = _validate(Suite, mapping, source)
    library = _library()
    collections = library.collections | suite.define.collections
    stages = library.first_stages | suite.define.first_stages
    systems = library.systems | suite.define.systems
    encoders = {
        f"first stage {name}": System(kind="bi_encoder", options={"model": stage.encoder.model})
        for name, stage in stages.items()
        if stage.kind == "dense"
    }
    resolved = Resolved.model_construct(
        suite=suite,
        collections=collections,
        first_stages=stages,
        systems=_with_parts(systems, suite.systems)
        | {
            n: s
            for n, s in _with_parts(systems | encoders, list(encoders)).items()
            if n not in encoders
        },
    )
    if suite.ablation is not None and suite.ablation not in suite.systems:
        raise ConfigError(
            f"ablation: {suite.ablation!r} is not among the suite's systems: "
            f"{', '.join(suite.systems)}"
        )
    for name in suite.collections:
        _check_paths(name, _pick(collections, name, "collection"))
        for stage in resolved.stages_of(name):
            spec = _pick(stages, stage, "first stage")
            _check_paths(stage, spec)
            _check_stage(name, collections[name], stage, spec)
            for part in spec.of if spec.kind == "fusion" else []:
                _check_stage(name, collections[name], part, _pick(stages, part, "first stage"))
    for name in resolved.systems:
        spec = resolved.systems[name]
        for path in training_files(spec.kind, spec.training):
            _check_file(name, "teacher", path)
        if resolved.systems[name].training is not None:
            trained_on = _pick(collections, resolved.trained_on(name), "collection")
            stage = resolved.systems[name].trained_with
            _check_stage(
                resolved.trained_on(name), trained_on, stage, _pick(stages, stage, "first stage")
            )
            if resolved.stage_parts(stage):
                raise ConfigError(
                    f"system {name!r} is to be trained on the lists of {stage!r}, which stands on "
                    "a trained model; name another first stage in its 'trained_with'"
                )
            if not has_train_split(trained_on):
                raise ConfigError(
                    f"system {name!r} is to be trained on {resolved.trained_on(name)!r}, which "
                    "has no train split; name another collection in its 'trained_on'"
                )
    return resolved


def _with_parts(
    systems: Mapping[str, System], names: list[str], above: tuple[str, ...] = ()
) -> dict[str, System]:
    """The named systems and those that they stand on."""
    found = {name: _pick(systems, name, "system") for name in names}
    for name, spec in list(found.items()):
        for part in parts(spec.options):
            if part in (*above, name):
                raise ConfigError(f"system {part!r} stands on itself: 'trained:{part}'")
            if _pick(systems, part, "system").training is None:
                raise ConfigError(
                    f"{name!r} names 'trained:{part}', but system {part!r} has no 'training'"
                )
            found |= _with_parts(systems, [part], (*above, name))
    return found


def _check_paths(name: str, spec: Any) -> None:
    """The user's own files must be there before anything is planned."""
    for key in ("path", "qrels"):
        path = getattr(spec, key, None)
        if path is not None:
            _check_file(name, key, path)


def _check_file(name: str, key: str, path: Path) -> None:
    if not path.exists():
        raise ConfigError(
            f"{name!r}: no {key} {path} (from {Path.cwd()}); paths are relative to the "
            "directory that snakemake is started in"
        )


def _check_stage(name: str, collection: Any, stage_name: str, stage: Any) -> None:
    if (collection.kind == "candidates") != (stage.kind == "imported"):
        wanted = "'imported'" if collection.kind == "candidates" else "another kind"
        raise ConfigError(
            f"collection {name!r} is of kind {collection.kind!r}; its first stage "
            f"{stage_name!r} is of kind {stage.kind!r}, but must be {wanted}"
        )


@cache
def _library() -> Definitions:
    merged: dict[str, Any] = {}
    for file in ("datasets.yaml", "systems.yaml"):
        merged |= read_yaml(CONFIG_DIR / file)
    return _validate(Definitions, merged, "config/")


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping. Raises ConfigError otherwise."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: expected a mapping of keys, found {type(value).__name__}")
    return value


def parse_collection(value: Any) -> Collection:
    """A collection's entry as the rules pass it (a JSON object)."""
    adapter: TypeAdapter[Collection] = TypeAdapter(Collection)
    return adapter.validate_python(value)


def parse_first_stage(value: Any) -> FirstStage:
    """A first stage's entry as the rules pass it (a JSON object)."""
    adapter: TypeAdapter[FirstStage] = TypeAdapter(FirstStage)
    return adapter.validate_python(value)


def _pick(section: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in section:
        raise ConfigError(f"unknown {what} {name!r}; known: {', '.join(sorted(section))}")
    return section[name]


def _validate(model: type[Model], value: Mapping[str, Any], source: str) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ConfigError(explain(error, source)) from error


def explain(error: ValidationError, source: str) -> str:
    """One line a mistake: where, what was given, what is allowed."""
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"]) or "top level"
        given = "" if isinstance(item["input"], dict) else f" (given: {item['input']!r})"
        lines.append(f"{source}: {where}: {item['msg'].removeprefix('Value error, ')}{given}")
    return "\n".join(lines)
