"""What each job of a suite needs: entries, input files, encoders, splits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from resrank.candidates.base import FirstStageKind
from resrank.collections.base import CollectionKind
from resrank.efficiency.tokenizers import user_tokenizers
from resrank.model.model_files import local_model_files
from resrank.model.options import EncoderOptions
from resrank.model.trained_models import substitute, used_models
from resrank.reranker_entry import options_of
from resrank.reranker_options import TeacherWork
from resrank.suite.collection_instruction import open_instructions, served_with
from resrank.suite.paths import Paths
from resrank.suite.resolved import ReadCollection, Resolved
from resrank.suite.schema import System
from resrank.suite.used_systems import teachers_of
from resrank.training.teacher_options import COLLECTION, of_collections, with_runs

Seed = int | str | None
"""A seed's number or wildcard; None for a system's first seed."""


class StoredEncoder(NamedTuple):
    """An encoder whose passage embeddings are stored, and manifests of the models that hold it."""

    options: EncoderOptions
    models: list[str]


class Plan(Paths):
    """The jobs of one suite, with their files under `out` (default: `results/<suite>`)."""

    def __init__(self, suite: Resolved, out: str | None = None) -> None:
        super().__init__(out or f"results/{suite.suite.name}")
        self.suite = suite
        self.encoders: dict[str, StoredEncoder] = {}
        for system in suite.systems:
            for seed in suite.seeds_of(system):
                self.encoder_name(system, seed)

    def first_seed(self, system: str) -> int:
        """Return the seed that is measured."""
        return self.suite.seeds_of(system)[0]

    def learners(self, collection: str) -> list[str]:
        """Return the systems that need a collection's labels, which are known only later.

        They are known only after fetching for some collections; for the others, return [].
        """
        if self.suite.collections[collection].train_split_is_certain():
            return []
        trainings = {n: spec.typed_training for n, spec in self.suite.systems.items()}
        trained = [n for n, training in trainings.items() if training and training.needs_labels]
        return sorted(name for name in trained if collection in self.suite.trained_on(name))

    def model_folder(self, system: str, seed: Seed = None) -> str:
        """Return the folder of a trained system's model; default: of its first seed."""
        return self.saved_model(system, self.first_seed(system) if seed is None else seed)

    def model_manifests(self, systems: list[str]) -> list[str]:
        """Return the manifests of these systems' models; a manifest is written last."""
        return [f"{self.model_folder(name)}.manifest.json" for name in systems]

    def system_entry(self, system: str, collection: str, seed: Seed = None) -> System:
        """Return a system's entry for the queries of a collection, with files in place of names.

        `trained:<name>` becomes the folder of the model of this seed (default: the system's first),
        `teacher: system:<name>` a run, and `{instruction}` the collection's. Options that differ on
        the collection (`options_on`) replace the others.
        """
        entry = self.suite.systems[system]
        training = with_runs(entry.training, lambda teacher: self.teacher_run(system, teacher))
        instruction = self.suite.collections[collection].instruction
        options = self._options(system, seed) | entry.options_on.get(collection, {})
        options = served_with(entry.kind, options, instruction)
        return entry.model_copy(update={"options": options, "training": training})

    def instructions(self, system: str) -> dict[str, str]:
        """Return the text options of a system that hold `{instruction}`, with their texts."""
        return dict(open_instructions(self.suite.systems[system].options))

    def training_entry(self, system: str, seed: Seed = None) -> System:
        """Return a system's entry for its training with a seed.

        With several collections, `{instruction}` stays: each query brings that of its collection.
        """
        names = self.suite.trained_on(system)
        entry = self.system_entry(system, names[0], seed)
        if len(names) == 1:
            return entry
        return entry.model_copy(update={"options": self._options(system, seed)})

    def teacher_run(self, system: str, teacher: str) -> str:
        """Return the run of a system's teacher over the lists that the system is trained on.

        With several collections, `{collection}` in it stands for the name of each.
        """
        names = self.suite.trained_on(system)
        collection = names[0] if len(names) == 1 else COLLECTION
        stage = self.suite.systems[system].trained_with
        return self.teaching(collection, stage, teacher, self.first_seed(teacher))

    def teacher_runs(self, system: str) -> list[str]:
        """Return the runs of the systems that teach a system, on each of its collections."""
        teachers = teachers_of(self.suite.systems[system])
        runs = (Path(self.teacher_run(system, teacher)) for teacher in teachers)
        return self._of_collections(system, runs)

    def _of_collections(self, system: str, files: Iterable[Path]) -> list[str]:
        """Return a training's files, one per collection where a name has `{collection}` in it."""
        names = self.suite.trained_on(system)
        return [str(path) for file in files for path in of_collections(file, names)]

    def teaching_work(self, collection: str, stage: str, teacher: str) -> list[TeacherWork]:
        """Return what the systems that learn from a teacher's run need it to rank."""
        work = {
            needed
            for name, spec in self.suite.systems.items()
            if spec.typed_training is not None
            and collection in self.suite.trained_on(name)
            and spec.trained_with == stage
            for needed in spec.typed_training.teachers
            if needed.system == teacher
        }
        return sorted(work, key=lambda needed: (needed.share, needed.depth or 0))

    def used_models(self, system: str, seed: Seed = None) -> list[str]:
        """Return the manifests of the trained models that a system depends on, not its own."""
        return [f"{folder}.manifest.json" for _, folder in self._used_folders(system, seed)]

    def model(self, system: str, seed: Seed = None) -> list[str]:
        """Return the manifest of a system's own model; none if it is not trained."""
        if self.suite.systems[system].training is None:
            return []
        return [f"{self.model_folder(system, seed)}.manifest.json"]

    def models_of_all_seeds(self, system: str) -> list[str]:
        """Return the manifests of a system's models and of those it uses, for all its seeds."""
        seeds = self.suite.seeds_of(system)
        used = [path for seed in seeds for path in self.used_models(system, seed)]
        return list(dict.fromkeys([*used, *(m for s in seeds for m in self.model(system, s))]))

    def stage_entry(self, stage: str, collection: str) -> FirstStageKind:
        """Return a first stage's entry for the queries of a collection.

        A trained encoder in it is replaced by its folder, `{instruction}` by the collection's.
        """
        entry = self.suite.first_stages[stage].with_models(self._own_encoder)
        return entry.with_instruction(self.suite.collections[collection].instruction)

    def stage_encoder(self, stage: str) -> EncoderOptions:
        """Return the encoder of a first stage that has one."""
        entry = self.suite.first_stages[stage].with_models(self._own_encoder)
        encoder = entry.passage_encoder()
        if encoder is None:
            raise ValueError(f"first stage {stage!r} embeds no passages")
        return encoder

    @property
    def shard_names(self) -> list[str]:
        """The shards that embedding and reranking are split into; none if they are not."""
        count = self.suite.suite.shards
        return [f"{number}of{count}" for number in range(count)] if count > 1 else []

    def encode_shards(self, collection: str, encoder: str) -> list[str]:
        """Return the completion files of the shards that embed a collection's candidates."""
        return [self.embeddings(collection, encoder, shard) for shard in self.shard_names]

    def stage_shards(self, collection: str, stage: str) -> list[str]:
        """Return the completion files of the shards that embed all for a dense first stage."""
        if self.suite.first_stages[stage].passage_encoder() is None:
            return []
        return [self.stage_embeddings(collection, stage, shard) for shard in self.shard_names]

    def stage_models(self, stage: str) -> list[str]:
        """Return the manifests of the trained models that a first stage uses."""
        return self.model_manifests(self.suite.first_stages[stage].trained_models())

    def fused(self, collection: str, stage: str) -> dict[str, str]:
        """Return the candidates of each first stage that a fusion names."""
        names = self.suite.first_stages[stage].names_of_fused()
        return {name: self.candidates(collection, name) for name in names}

    def encoder_name(self, system: str, seed: int | str) -> str | None:
        """Return a name for the encoder whose embeddings a system can store; None without one.

        It consists of the name of the model, or of the trained system that holds it, and a hash of
        the encoder's options.
        """
        spec = self.suite.systems[system]
        folder = self.model_folder(system, seed) if spec.training is not None else None
        options = self._encoder_options(system, folder, seed)
        if options is None:
            return None
        holders = self._used_folders(system, seed)
        holders += [(system, folder)] if folder else []
        held_by = [(n, f) for n, f in holders if f"{options.model}/".startswith(f"{f}/")]
        text = as_json(options)
        name = held_by[0][0] if held_by else Path(options.model).name
        name = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        self.encoders[name] = StoredEncoder(options, [f"{f}.manifest.json" for _, f in held_by])
        return name

    def encoded(self, collection: str, system: str, seed: int | str) -> list[str]:
        """Return the completion file of embedding candidates for a system; none without encoder."""
        name = self.encoder_name(system, seed)
        return [] if name is None else [self.embeddings(collection, name)]

    def encoded_for_training(self, system: str, seed: int | str) -> list[str]:
        """Return the embedding files of the training collections.

        There are none if training changes the encoder.
        """
        name = self.encoder_name(system, seed)
        if name is None or self.model(system, seed)[0] in self.encoders[name].models:
            return []
        return [f for c in self.suite.trained_on(system) for f in self.encoded(c, system, seed)]

    def training_lists(self, system: str) -> list[str]:
        """Return the candidates that a system is trained on, of each collection."""
        stage = self.suite.systems[system].trained_with
        return [self.candidates(name, stage) for name in self.suite.trained_on(system)]

    def training_collections(self, system: str) -> list[str]:
        """Return the manifests of the collections that a system is trained on."""
        return [self.collection_manifest(name) for name in self.suite.trained_on(system)]

    def training_files(self, system: str) -> list[str]:
        """Return the files that a system is trained with: the user's, and teachers' runs."""
        training = self.training_entry(system).typed_training
        return self._of_collections(system, training.files) if training else []

    def files(self, system: str) -> list[str]:
        """Return the user's files that a system reads: named in its options, or tokenizers."""
        spec = self.suite.systems[system]
        models = local_model_files(spec.typed_options.model_dump(mode="json"))
        files = (*spec.typed_options.files, *models, *user_tokenizers(spec))
        return [str(path) for path in files]

    def lists_to_encode(self, collection: str) -> list[str]:
        """Return every list of a collection that a system reranks or is trained on."""
        used = collection in self.suite.suite.collections
        stages = set(self.suite.stages_of(collection) if used else [])
        for name, spec in self.suite.systems.items():
            if spec.training is not None and collection in self.suite.trained_on(name):
                stages.add(spec.trained_with)
        return [self.candidates(collection, stage) for stage in sorted(stages)]

    def splits_to_encode(self, collection: str, encoder: str) -> list[str]:
        """Return the splits whose candidates an encoder embeds: test, and those of training.

        Training adds train if a system is trained here on this encoder's embeddings, and dev if
        that system is scored on dev queries during training.
        """
        embedded = self.embeddings(collection, encoder)
        learners = [
            spec
            for system, spec in self.suite.systems.items()
            if spec.training is not None
            for seed in self.suite.seeds_of(system)
            if embedded in self.encoded_for_training(system, seed)
        ]
        if not learners:
            return ["test"]
        trainings = [spec.typed_training for spec in learners]
        scored = any(training.uses_dev_queries for training in trainings if training)
        return ["train", "dev", "test"] if scored else ["train", "test"]

    def runs(self, collection: str, stage: str) -> list[tuple[str, int, str]]:
        """Return (system, seed, run file) of everything that is compared on a candidate set."""
        return [
            (system, seed, self.run(collection, stage, system, seed))
            for system in self.suite.suite.systems_of(collection)
            for seed in self.suite.seeds_of(system)
        ]

    def reported(self, collection: str, stage: str) -> list[str]:
        """Return what the report reads of a candidate set."""
        files = [self.scores(collection, stage), self.audits(collection, stage)]
        files.append(self.statistics(collection, stage))
        if self.suite.judges:
            files.append(self.calibration(collection, stage))
        compared = self.suite.suite.systems_of(collection)
        timed = [name for name in compared if name not in self.suite.companions]
        files += [self.efficiency(collection, stage, name) for name in timed]
        varied = [name for name in self.suite.suite.sensitivity if name in compared]
        return files + [self.sensitivity(collection, stage, name) for name in varied]

    def gains(self, collection: str) -> dict[str, str]:
        """Return each trained system that is compared on a collection, and its untrained self."""
        compared = self.suite.suite.systems_of(collection)
        return {
            name: untrained for name, untrained in self.suite.untrained.items() if name in compared
        }

    def families(self, collection: str) -> dict[str, Any]:
        """Return what the tests on a collection depend on, beside the scores."""
        suite = self.suite.suite
        all_pairs = suite.comparisons == "all_pairs"
        return {
            "untrained": self.gains(collection),
            "ablation": suite.reference_on(collection),
            "companions": sorted(self.suite.companions),
            "baseline": None if all_pairs else self.suite.baseline_on(collection),
            "ablation_tests": self.suite.ablation_tests,
        }

    def recorded_runs(self, collection: str, stage: str, system: str) -> list[str]:
        """Return the run beside which an endpoint's times were recorded; none for other systems."""
        spec = self.suite.systems[system]
        if not spec.typed_options.asks_endpoint:
            return []
        return [self.run(collection, stage, system, self.first_seed(system))]

    def graded_runs(self, collection: str, stage: str) -> list[tuple[str, int, str]]:
        """Return the runs of systems that give grades."""
        return [run for run in self.runs(collection, stage) if run[0] in self.suite.judges]

    def learned_from(self, collection: str, stage: str) -> dict[str, list[str]]:
        """Return, by system, the collections that its own and all used models learned from.

        The first stage's models count as used.
        """
        return {
            name: list(dict.fromkeys(self.collection(part.collection) for part in read))
            for name, read in self.read_in_training(collection, stage).items()
        }

    def read_in_training(self, collection: str, stage: str) -> dict[str, list[ReadCollection]]:
        """Return, by system, what its own and all used models read of the collections above."""
        used = self.suite.used_by_stage(stage)
        below = [part for name in used for part in self.suite.read_in_training(name)]
        read = {
            name: list(dict.fromkeys(self.suite.read_in_training(name) + below))
            for name in self.suite.suite.systems_of(collection)
        }
        return {name: parts for name, parts in read.items() if parts}

    @property
    def audits_leaks(self) -> bool:
        """Whether the report has a leak audit, even if optional collections cannot be fetched."""
        suite = self.suite
        audited = {pair: bool(self.learned_from(*pair)) for pair in suite.pairs}
        certain = [has for (c, _), has in audited.items() if c not in suite.maybe_unavailable]
        return any(certain) or all(audited.values())

    def _options(self, system: str, seed: Seed) -> Any:
        """Return a system's options, with the folders of the models that it uses with a seed."""

        def folder(named: str) -> str:
            used, _, part = named.partition("/")
            return "/".join(filter(None, [self._used_folder(used, system, seed), part]))

        return substitute(self.suite.systems[system].options, folder)

    def _used_folders(self, system: str, seed: Seed) -> list[tuple[str, str]]:
        """Return the name and the folder of each trained model that a system uses with a seed."""
        used = used_models(self.suite.systems[system].options)
        return [(name, self._used_folder(name, system, seed)) for name in used]

    def _used_folder(self, used: str, system: str, seed: Seed) -> str:
        seed = self.first_seed(system) if seed is None else seed
        return self.model_folder(used, self.suite.used_seed(used, seed))

    def _own_encoder(self, system: str) -> str:
        """Return the folder of a trained system's own encoder."""
        return str(self._encoder_options(system, self.model_folder(system)).model)

    def _encoder_options(self, system: str, model_folder: str | None, seed: Seed = None) -> Any:
        """Return the `EncoderOptions` of a system's passage embeddings, or None without any."""
        spec = self.suite.systems[system]
        options = options_of(spec.kind, self._options(system, seed))
        return spec.reranker.encoder_options(options, spec.typed_training, model_folder)


def as_json(entry: BaseModel) -> str:
    """Return an entry as text for a job's params; equal entries are equal text."""
    return json.dumps(entry.model_dump(mode="json"), sort_keys=True)


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA driver; torch would take seconds to say so."""
    return Path("/proc/driver/nvidia").exists()


def source_data(entry: CollectionKind | FirstStageKind) -> list[str]:
    """Return the user's files that a collection or a first stage is read from.

    An edit reruns its job.
    """
    return [str(path) for path in entry.source_files()]
