"""Checks of a suite before anything is planned: files, first stages, training, grades, network."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel

from resrank.candidates.base import FirstStageKind
from resrank.collections.base import CollectionKind
from resrank.efficiency.costs import models_of, shape_of
from resrank.io.yaml import ConfigError
from resrank.model.architectures import RANDOM
from resrank.model.model_files import check_model_file, is_fetched, named_model_files
from resrank.model.wheel_names import WHEEL
from resrank.records import GRADES
from resrank.suite.collection_instruction import open_instructions
from resrank.suite.library import pick
from resrank.suite.resolved import Resolved
from resrank.suite.schema import System
from resrank.suite.used_systems import all_needed, with_fused
from resrank.training.teacher import transcript_in
from resrank.training.teacher_options import of_collections
from resrank.work import FirstLayers, model_name


def check(resolved: Resolved) -> None:
    """Raise ConfigError on the first mistake.

    What only skipped collections need is not checked: systems that are compared on these alone, and
    what such systems use or learn from.
    """
    stages = {stage for _, stage in resolved.pairs}
    compared = resolved.suite.systems
    systems, needed = all_needed(resolved.systems, resolved.first_stages, compared, stages)
    _check(resolved.model_copy(update={"systems": systems, "needed_stages": sorted(needed)}))


def _check(resolved: Resolved) -> None:
    for name in resolved.suite.collections:
        _check_collection(resolved, name)
    for name, spec in resolved.systems.items():
        for path in spec.typed_options.files:
            _check_file(name, "file", path)
        _check_training(resolved, name)
    _check_grades(resolved)
    _check_model_files(resolved)
    _check_shapes(resolved)
    _check_offline(resolved)


def _check_collection(resolved: Resolved, name: str) -> None:
    """Check that the files exist, and that each of the first stages can be made."""
    collection = pick(resolved.collections, name, "collection")
    _check_paths(name, collection)
    for stage_name in resolved.stages_of(name):
        stage = pick(resolved.first_stages, stage_name, "first stage")
        _check_paths(stage_name, stage)
        _check_stage(name, collection, stage_name, stage)
        for part, fused in with_fused(resolved.first_stages, stage.names_of_fused()).items():
            _check_paths(part, fused)
            _check_stage(name, collection, part, fused)


def _check_training(resolved: Resolved, name: str) -> None:
    """Check that a trained system has lists to learn from, and the files it names."""
    spec = resolved.systems[name]
    training = spec.typed_training
    if training is None:
        return
    sources = resolved.trained_on(name)
    for path in (path for file in training.rankings for path in of_collections(file, sources)):
        _check_teacher(name, path)
    for path in (path for file in training.files for path in of_collections(file, sources)):
        _check_file(name, "file of its training", path)
    for source in sources:
        _check_source(resolved, name, source)
    if resolved.used_by_stage(spec.trained_with):
        raise ConfigError(
            f"system {name!r} is to be trained on the lists of {spec.trained_with!r}, which needs "
            "a trained model; name another first stage in its 'trained_with'"
        )
    if len(sources) > 1:
        _check_instructions(name, spec)


def _check_source(resolved: Resolved, name: str, source: str) -> None:
    """Check that a collection has lists that a system can be trained on."""
    collection = pick(resolved.collections, source, "collection")
    _check_paths(source, collection)
    trained_with = resolved.systems[name].trained_with
    stage = pick(resolved.first_stages, trained_with, "first stage")
    _check_stage(source, collection, trained_with, stage)
    training = resolved.systems[name].typed_training
    needs_labels = training is None or training.needs_labels
    if needs_labels and not collection.has_train_split():
        raise ConfigError(
            f"system {name!r} is to be trained on {source!r}, which has no train split; name "
            "another collection in its 'trained_on', or train on `queries: own_text`, which the "
            "kinds `resrank` and `bi_encoder` can do without labels"
        )


def _check_instructions(name: str, spec: System) -> None:
    """Check that a training on several collections can tell each query its own instruction."""
    allowed = spec.reranker.instructed
    if wrong := sorted({name for name, _ in open_instructions(spec.options)} - allowed):
        raise ConfigError(
            f"system {name!r} is trained on several collections, each with an instruction of its "
            f"own, but a training of kind {spec.kind!r} cannot fill `{{instruction}}` into "
            f"{', '.join(f'`{option}`' for option in wrong)} query by query (allowed: "
            f"{', '.join(sorted(allowed)) or 'none'}); write the text itself there, or name one "
            "collection in `trained_on`"
        )


def _check_teacher(name: str, path: Path) -> None:
    """Check that a teacher's file exists, and holds rankings."""
    if not path.exists():
        raise ConfigError(
            f"{name!r}: no teacher {path} (from {Path.cwd()}); name a file, relative to the "
            f"directory that snakemake is started in, or write `system:{path}` for a system"
        )
    if transcript := transcript_in(path):
        raise ConfigError(f"{name!r}: teacher {transcript}")


def _check_grades(resolved: Resolved) -> None:
    """Check that systems that give three grades have collections whose grades map to these."""
    for system in resolved.judges:
        if (given := resolved.systems[system].reranker.grades) != GRADES:
            raise ConfigError(
                f"system {system!r} gives {given} grades; judgments are mapped to {GRADES} grades "
                f"(0 not relevant, 1 partly, 2 relevant): the system must also give {GRADES}"
            )
        for name in resolved.suite.collections + resolved.learns_from(system):
            if resolved.collections[name].grades_from is None:
                raise ConfigError(
                    f"collection {name!r} does not say how its grades map to the three of system "
                    f"{system!r}; give its entry `grades_from`, the lowest grades that count as "
                    "partly relevant and as relevant: [1, 2], say, or [1, 1] if they are binary"
                )


def _check_offline(resolved: Resolved) -> None:
    """Check that an offline suite has everything that it evaluates or learns from."""
    if not resolved.suite.offline:
        return
    for name in resolved.suite.collections + resolved.only_learned_from:
        if reason := resolved.collections[name].lacks(offline=True):
            raise ConfigError(
                f"collection {name!r}: {reason}; fetch it on a machine with a network and name its "
                "folder in RESRANK_DATA or RESRANK_MIRROR, or leave the collection out"
            )


def _check_model_files(resolved: Resolved) -> None:
    """Check the names of models in wheels; without a network, check that they are here."""
    entries: list[BaseModel] = [spec.typed_options for spec in resolved.systems.values()]
    entries += [resolved.first_stages[name] for name in resolved.needed_stages]
    for model in named_model_files([entry.model_dump(mode="json") for entry in entries]):
        try:
            check_model_file(model)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        if not model.startswith(WHEEL):
            _check_file(model, "GGUF file", Path(model))
        elif resolved.suite.offline and not is_fetched(model):
            raise ConfigError(
                f"model {model!r}: offline, and it is not here; fetch it on a machine with a "
                "network, and name its data folder in RESRANK_DATA"
            )


def _check_shapes(resolved: Resolved) -> None:
    """Check that models of random weights have a published shape, and no part too many layers.

    A number of layers is checked where the model's shape is on record.
    """
    models = [
        (f"system {name!r}", model)
        for name, spec in resolved.systems.items()
        for model in models_of(spec)
    ]
    for name in resolved.needed_stages:
        encoder = resolved.first_stages[name].passage_encoder()
        models += [(f"first stage {name!r}", encoder.named)] if encoder else []
    for owner, model in models:
        try:
            if isinstance(model, FirstLayers) or (model_name(model) or "").startswith(RANDOM):
                shape_of(model, resolved.systems)
        except ValueError as error:
            raise ConfigError(f"{owner}: {error}") from error


def _check_paths(name: str, entry: CollectionKind | FirstStageKind) -> None:
    for option, path in entry.local_paths().items():
        _check_file(name, option, path)


def _check_file(name: str, option: str, path: Path) -> None:
    if not path.exists():
        raise ConfigError(
            f"{name!r}: no {option} {path} (from {Path.cwd()}); paths are relative to the "
            "directory that snakemake is started in"
        )


def _check_stage(
    name: str, collection: CollectionKind, stage_name: str, stage: FirstStageKind
) -> None:
    if not stage.suits(collection):
        wanted = "'imported'" if collection.brings_lists else "another kind"
        raise ConfigError(
            f"collection {name!r} is of kind {collection.kind!r}; its first stage "
            f"{stage_name!r} is of kind {stage.kind!r}, but must be {wanted}"
        )
