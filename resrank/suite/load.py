"""A suite read, checked and resolved: what the workflow plans from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from resrank.candidates.base import FirstStageKind
from resrank.collections.base import CollectionKind
from resrank.io.yaml import ConfigError, read_yaml, validated
from resrank.model.architectures import RANDOM
from resrank.model.trained_models import parts, substitute
from resrank.records import GRADES
from resrank.suite.schema import Definitions, Suite, System

CONFIG_DIR = Path(__file__).resolve().parents[2] / "config"


class Resolved(BaseModel):
    """A suite with every name replaced by its definition; what the workflow plans from."""

    suite: Suite
    collections: dict[str, CollectionKind]
    first_stages: dict[str, FirstStageKind]
    systems: dict[str, System]
    given: Suite
    """The suite as it was written, skipped collections among it."""
    skipped: dict[str, str] = {}
    """Optional collections that the suite goes on without, and why."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each (collection, first stage) that systems are compared on."""
        return [(c, stage) for c in self.suite.collections for stage in self.stages_of(c)]

    def stage_parts(self, stage: str) -> list[str]:
        """The trained systems that a first stage stands on, by itself or through a fusion."""
        spec = self.first_stages[stage]
        fused = (part for name in spec.names_of_fused() for part in self.stage_parts(name))
        return sorted({*spec.trained_models(), *fused})

    def stages_of(self, collection: str) -> list[str]:
        """The first stages that a collection is evaluated under."""
        return self.collections[collection].stages(self.suite.first_stages)

    def seeds_of(self, system: str) -> list[int]:
        """The seeds a system is replicated over; an untrained system has the one seed 0."""
        spec = self.systems[system]
        if spec.training is None:
            return [0]
        return spec.seeds if spec.seeds is not None else self.suite.seeds

    def label(self, system: str) -> str:
        """A system's name in tables and figures; one that nobody has trained says so."""
        spec = self.systems[system]
        named = spec.label or system
        options = spec.typed_options
        if spec.training is not None:
            return named
        if made_here(options.model_dump()):
            return f"{named} (untrained: random weights)"
        part = options.random_part
        return f"{named} (untrained: {part} of random weights)" if part else named

    @property
    def labels(self) -> dict[str, str]:
        """Every system's name in tables and figures."""
        return {name: self.label(name) for name in self.systems}

    def reranks(self, system: str) -> bool:
        """Whether a system is more than the first stage's own order."""
        return self.systems[system].reranker.reorders

    def is_optional(self, collection: str) -> bool:
        """Whether the suite goes on without a collection that cannot be had."""
        if self.suite.optional is not None:
            return collection in self.suite.optional
        return self.collections[collection].optional

    @property
    def in_doubt(self) -> list[str]:
        """Optional collections of which a file is still to be fetched: no network may give it."""
        return [
            name
            for name in self.suite.collections
            if self.is_optional(name) and self.collections[name].out_of_reach()
        ]

    @property
    def costs_alone(self) -> bool:
        """Whether it holds models of random weights: what its systems score says nothing."""
        from resrank.efficiency.costs import is_random

        return any(is_random(spec) for spec in self.systems.values())

    @property
    def judges(self) -> list[str]:
        """The systems that give grades, whose calibration is measured; none of random weights."""
        named = [] if self.costs_alone else self.suite.systems
        return [name for name in named if self.systems[name].reranker.grades]

    @property
    def timed(self) -> list[str]:
        """The systems whose cost is measured: all but those that only repeat a transcript."""
        specs = {name: self.systems[name] for name in self.suite.systems}
        return [name for name, s in specs.items() if not s.typed_options.is_replayed]

    @property
    def list_readers(self) -> list[str]:
        """The systems that read lists, by windows or at once; none beside random weights."""
        named = [] if self.costs_alone else self.suite.systems
        return [name for name in named if self.systems[name].reranker.reads_lists]

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

    @property
    def only_learned_from(self) -> list[str]:
        """The collections that systems, or models below first stages, learn from, and no more."""
        parts_below = [part for _, stage in self.pairs for part in self.stage_parts(stage)]
        found = {c for name in self.suite.systems + parts_below for c in self.learns_from(name)}
        return sorted(found - set(self.suite.collections))

    def trained_on(self, system: str) -> str:
        """The collection that a trained system learns from."""
        named = self.systems[system].trained_on
        if named != "auto":
            return named
        for name in self.suite.collections:
            if self.collections[name].has_train_split():
                return name
        return "docstrings"


def made_here(options: Any) -> bool:
    """Whether options hold a model made here with random weights.

    In the place of its name stands a shape, or `random:` and the name of a published one.
    """
    if not isinstance(options, Mapping):
        return False
    models = [options.get(key) for key in ("model", "reranker")]
    made = any(isinstance(m, Mapping) or str(m).startswith(RANDOM) for m in models)
    return made or any(made_here(value) for value in options.values())


def load_suite(
    config: Mapping[str, Any] | Path, absent: Mapping[str, str] | None = None
) -> Resolved:
    """Validate a suite (a mapping or a YAML file) against the library in config/.

    absent: optional collections that no network gave, and why. Raises ConfigError that names the
    key, what was given and what is known.
    """
    source = str(config) if isinstance(config, Path) else "suite"
    mapping = read_yaml(config) if isinstance(config, Path) else dict(config)
    resolved = _without_absent(_resolve(validated(Suite, mapping, source)), absent or {})
    for name in resolved.suite.collections:
        _check_collection(resolved, name)
    for name, spec in resolved.systems.items():
        for path in spec.typed_options.files:
            _check_file(name, "file", path)
        _check_training(resolved, name)
    _check_grades(resolved)
    _check_offline(resolved)
    return resolved


def _resolve(suite: Suite) -> Resolved:
    """A suite with its own and the library's definitions, and the systems that those need."""
    known = library()
    systems = known.systems | suite.define.systems
    systems = {name: _scaled(spec, suite.scale) for name, spec in systems.items()}
    stages = known.first_stages | suite.define.first_stages
    compared = with_parts(systems, suite.systems)
    for name, stage in stages.items():
        compared |= parts_of(systems, f"first stage {name}", stage.trained_models())
    chosen = {"ablation": [suite.ablation], "baseline": [suite.baseline]}
    for key, names in (chosen | {"sensitivity": suite.sensitivity}).items():
        for named in set(names) - {None, *suite.systems}:
            raise ConfigError(
                f"{key}: {named!r} is not among the suite's systems: {', '.join(suite.systems)}"
            )
    return Resolved.model_construct(
        suite=suite,
        given=suite,
        collections=known.collections | suite.define.collections,
        first_stages=stages,
        systems=compared,
    )


def _scaled(system: System, by: int) -> System:
    """A system whose models of random weights are smaller ones of their form."""
    if by == 1:
        return system
    smaller = substitute(system.options, lambda name: f"{RANDOM}{name}@{by}", RANDOM)
    return system.model_copy(update={"options": smaller})


def _without_absent(resolved: Resolved, absent: Mapping[str, str]) -> Resolved:
    """The suite without the optional collections that cannot be had, or are `absent`."""
    skipped = {}
    for name in resolved.suite.collections:
        spec = _pick(resolved.collections, name, "collection")
        if not resolved.is_optional(name):
            continue
        if lacking := absent.get(name) or spec.lacks(resolved.suite.offline):
            skipped[name] = f"{lacking} (licence: {spec.licence})"
    kept = [name for name in resolved.suite.collections if name not in skipped]
    if not kept:
        why = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
        raise ConfigError(f"no collection is left to evaluate: {why}")
    suite = resolved.suite.model_copy(update={"collections": kept})
    return resolved.model_copy(update={"suite": suite, "skipped": skipped})


def _check_offline(resolved: Resolved) -> None:
    """Without a network, what is to be evaluated or learned from is here."""
    if not resolved.suite.offline:
        return
    for name in resolved.suite.collections + resolved.only_learned_from:
        if reason := resolved.collections[name].lacks(offline=True):
            raise ConfigError(
                f"collection {name!r}: {reason}; fetch it on a machine with a network and name its "
                "folder in RESRANK_DATA or RESRANK_MIRROR, or leave the collection out"
            )


def _check_collection(resolved: Resolved, name: str) -> None:
    """Its files are there, and each of its first stages can be made for it."""
    stages = resolved.first_stages
    collection = _pick(resolved.collections, name, "collection")
    _check_paths(name, collection)
    for stage in resolved.stages_of(name):
        spec = _pick(stages, stage, "first stage")
        _check_paths(stage, spec)
        _check_stage(name, collection, stage, spec)
        for part in spec.names_of_fused():
            _check_stage(name, collection, part, _pick(stages, part, "first stage"))


def _check_training(resolved: Resolved, name: str) -> None:
    """A system that is trained has lists to learn from, and the files it names."""
    spec = resolved.systems[name]
    training = spec.typed_training
    if training is None:
        return
    for path in training.files:
        _check_file(name, "teacher", path)
    source = resolved.trained_on(name)
    collection = _pick(resolved.collections, source, "collection")
    _check_paths(source, collection)
    stage = _pick(resolved.first_stages, spec.trained_with, "first stage")
    _check_stage(source, collection, spec.trained_with, stage)
    if resolved.stage_parts(spec.trained_with):
        raise ConfigError(
            f"system {name!r} is to be trained on the lists of {spec.trained_with!r}, which stands "
            "on a trained model; name another first stage in its 'trained_with'"
        )
    if not collection.has_train_split():
        raise ConfigError(
            f"system {name!r} is to be trained on {source!r}, which has no train split; name "
            "another collection in its 'trained_on'"
        )


def _check_grades(resolved: Resolved) -> None:
    """Systems that judge in three grades have collections whose grades map to these."""
    for system in resolved.judges:
        if (given := resolved.systems[system].reranker.grades) != GRADES:
            raise ConfigError(
                f"system {system!r} gives {given} grades; judgments have {GRADES} here (0 not "
                "relevant, 1 partly, 2 relevant): give it as many"
            )
        for name in resolved.suite.collections + resolved.learns_from(system):
            if resolved.collections[name].grades_from is None:
                raise ConfigError(
                    f"collection {name!r} does not say how its grades map to the three of system "
                    f"{system!r}; give its entry `grades_from`, the lowest own grades that count "
                    "as partly relevant and as relevant: [1, 2], say, or [1, 1] if they are binary"
                )


def with_parts(
    systems: Mapping[str, System], names: Sequence[str], above: tuple[str, ...] = ()
) -> dict[str, System]:
    """The named systems and those that they stand on."""
    named = {name: _pick(systems, name, "system") for name in names}
    for name, spec in list(named.items()):
        named |= parts_of(systems, name, parts(spec.options), above)
    return named


def parts_of(
    systems: Mapping[str, System], owner: str, needed: Sequence[str], above: tuple[str, ...] = ()
) -> dict[str, System]:
    """Return the trained systems that `owner` uses, and those that these use.

    above: what uses the owner. ConfigError if one uses itself or is not trained.
    """
    systems_below: dict[str, System] = {}
    for part in needed:
        if part in (*above, owner):
            raise ConfigError(f"system {part!r} stands on itself: 'trained:{part}'")
        if _pick(systems, part, "system").training is None:
            raise ConfigError(
                f"{owner!r} names 'trained:{part}', but system {part!r} has no 'training'"
            )
        systems_below |= with_parts(systems, [part], (*above, owner))
    return systems_below


def _check_paths(name: str, spec: Any) -> None:
    """The user's own files must be there before anything is planned."""
    for key, path in spec.local_paths().items():
        _check_file(name, key, path)


def _check_file(name: str, key: str, path: Path) -> None:
    if not path.exists():
        raise ConfigError(
            f"{name!r}: no {key} {path} (from {Path.cwd()}); paths are relative to the "
            "directory that snakemake is started in"
        )


def _check_stage(name: str, collection: Any, stage_name: str, stage: Any) -> None:
    if not stage.suits(collection):
        wanted = "'imported'" if collection.brings_lists else "another kind"
        raise ConfigError(
            f"collection {name!r} is of kind {collection.kind!r}; its first stage "
            f"{stage_name!r} is of kind {stage.kind!r}, but must be {wanted}"
        )


@cache
def library() -> Definitions:
    """What config/ defines, for every suite to name."""
    merged: dict[str, Any] = {}
    for file in ("datasets.yaml", "systems.yaml"):
        merged |= read_yaml(CONFIG_DIR / file)
    return validated(Definitions, merged, "config/")


def _pick(section: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in section:
        raise ConfigError(f"unknown {what} {name!r}; known: {', '.join(sorted(section))}")
    return section[name]


__all__ = ["CONFIG_DIR", "ConfigError", "Resolved", "library", "load_suite", "with_parts"]
