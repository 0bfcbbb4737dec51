"""What the rules ask of a suite: where each file lies, and what each job needs.

Paths are text, relative to the directory that snakemake is started in.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from resrank.candidates.base import FirstStageKind
from resrank.collections.base import CollectionKind
from resrank.model.trained_models import parts, substitute
from resrank.reranker_entry import options_of
from resrank.suite.resolved import Resolved


class Encoder(NamedTuple):
    """An encoder whose passage embeddings are stored: options as JSON, the models it lies in."""

    options: str
    models: list[str]


class Plan:
    """The files of one suite under `out`."""

    def __init__(self, suite: Resolved, out: str) -> None:
        self.suite = suite
        self.out = out
        self.encoders: dict[str, Encoder] = {}
        for system in suite.systems:
            for seed in suite.seeds_of(system):
                self.encoder_name(system, seed)

    def first_seed(self, system: str) -> int:
        """The seed that other systems stand on, and that is measured."""
        return self.suite.seeds_of(system)[0]

    def collection(self, dataset: str) -> str:
        """A collection's folder."""
        return f"{self.out}/collections/{dataset}"

    def learners(self, dataset: str) -> str:
        """Systems that are trained on a collection whose train split is known when it is fetched,
        for the command line."""
        if self.suite.collections[dataset].train_split_is_certain():
            return ""
        trained = [n for n, spec in self.suite.systems.items() if spec.training is not None]
        here = [name for name in trained if self.suite.trained_on(name) == dataset]
        return options_text("learner", sorted(here))

    def candidates(self, dataset: str, stage: str) -> str:
        """A first stage's frozen lists."""
        return f"{self.out}/candidates/{dataset}/{stage}.parquet"

    def model_folder(self, system: str, seed: int | str | None = None) -> str:
        """A trained system's model, of the first seed if none is named."""
        return f"{self.out}/models/{system}/seed{self.first_seed(system) if seed is None else seed}"

    def model_manifests(self, systems: list[str]) -> list[str]:
        """What stands beside trained models when they are whole."""
        return [f"{self.model_folder(name)}.manifest.json" for name in systems]

    def spec(self, system: str) -> str:
        """A system's entry as JSON, with the folders of the trained systems that it stands on."""
        entry = self.suite.systems[system]
        return as_json(entry.model_copy(update={"options": self._options(system)}))

    def parts(self, system: str) -> list[str]:
        """Manifests of the trained models that a system stands on, beside its own."""
        return self.model_manifests(parts(self.suite.systems[system].options))

    def model(self, system: str, seed: int | str | None = None) -> list[str]:
        """The manifest of a system's own model; none if it is not trained."""
        if self.suite.systems[system].training is None:
            return []
        return [f"{self.model_folder(system, seed)}.manifest.json"]

    def stage_spec(self, stage: str) -> str:
        """A first stage's entry as JSON, with the folder of a trained encoder that it names."""
        return as_json(self.suite.first_stages[stage].with_models(self._own_encoder))

    def stage_encoder(self, stage: str) -> str:
        """The options of the encoder of a first stage that has one, as JSON."""
        encoder = self.suite.first_stages[stage].with_models(self._own_encoder).passage_encoder()
        assert encoder is not None
        return as_json(encoder)

    def shards(self, name: str, ending: str) -> list[str]:
        """What the shards of a job write, by its path without an ending; none if it is whole."""
        count = self.suite.suite.shards
        if count == 1:
            return []
        return [f"{name}.shards/{number}of{count}{ending}" for number in range(count)]

    def stage_shards(self, dataset: str, stage: str) -> list[str]:
        """What says that the shards of a dense first stage have embedded the collection."""
        if self.suite.first_stages[stage].passage_encoder() is None:
            return []
        return self.shards(f"{self.out}/embeddings/{dataset}/first_stages/{stage}", ".json")

    def shard_stores(self, stamps: list[str]) -> str:
        """The stores that such shards have filled, for the command line."""
        return options_text("shard-store", [path.removesuffix(".json") for path in stamps])

    def stage_models(self, stage: str) -> list[str]:
        """Manifests of the trained models that a dense first stage stands on."""
        return self.model_manifests(self.suite.first_stages[stage].trained_models())

    def fused(self, dataset: str, stage: str) -> dict[str, str]:
        """The candidates of each stage that a fusion names."""
        names = self.suite.first_stages[stage].names_of_fused()
        return {name: self.candidates(dataset, name) for name in names}

    def encoder_name(self, system: str, seed: int | str) -> str | None:
        """A name for the encoder whose passage embeddings a system can store; None without one.

        It is the name of the model, or of the trained system that holds it, and a hash of its
        options.
        """
        spec = self.suite.systems[system]
        folder = self.model_folder(system, seed) if spec.training is not None else None
        options = self._encoder_options(system, folder)
        if options is None:
            return None
        holders = [(p, self.model_folder(p)) for p in parts(spec.options)]
        holders += [(system, folder)] if folder else []
        held_by = [(n, f) for n, f in holders if options.model.startswith(f)]
        text = as_json(options)
        name = held_by[0][0] if held_by else Path(options.model).name
        name = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        self.encoders[name] = Encoder(text, [f"{f}.manifest.json" for _, f in held_by])
        return name

    def encoded(self, dataset: str, system: str, seed: int | str) -> list[str]:
        """The job that embeds a collection's candidates for a system, if it has an encoder."""
        name = self.encoder_name(system, seed)
        return [] if name is None else [f"{self.out}/embeddings/{dataset}/{name}.json"]

    def encoded_for_training(self, system: str, seed: int | str) -> list[str]:
        """The same over the training collection, for a system whose encoder is not trained."""
        name = self.encoder_name(system, seed)
        if name is None or self.model(system, seed)[0] in self.encoders[name].models:
            return []
        return self.encoded(self.suite.trained_on(system), system, seed)

    def training_lists(self, system: str) -> str:
        """The candidates that a system is trained on."""
        stage = self.suite.systems[system].trained_with
        return self.candidates(self.suite.trained_on(system), stage)

    def training_files(self, system: str) -> list[str]:
        """The user's own files that a system is trained with."""
        spec = self.suite.systems[system]
        training = spec.typed_training
        return [str(path) for path in training.files] if training else []

    def files(self, system: str) -> list[str]:
        """The user's own files that a system's options name."""
        spec = self.suite.systems[system]
        return [str(path) for path in spec.typed_options.files]

    def lists_to_encode(self, dataset: str) -> list[str]:
        """Every list of a collection that a system reranks or is trained on."""
        used = dataset in self.suite.suite.collections
        stages = set(self.suite.stages_of(dataset) if used else [])
        for name, spec in self.suite.systems.items():
            if spec.training is not None and self.suite.trained_on(name) == dataset:
                stages.add(spec.trained_with)
        return [self.candidates(dataset, stage) for stage in sorted(stages)]

    def splits_to_encode(self, dataset: str, encoder: str) -> list[str]:
        """Test, and train where a system learns there from this encoder's embeddings; dev where it
        is scored on dev queries as it learns."""
        stamp = f"{self.out}/embeddings/{dataset}/{encoder}.json"
        learners = [
            spec
            for system, spec in self.suite.systems.items()
            if spec.training is not None
            for seed in self.suite.seeds_of(system)
            if stamp in self.encoded_for_training(system, seed)
        ]
        if not learners:
            return ["test"]
        trainings = [spec.typed_training for spec in learners]
        scored = any(training.uses_dev_queries for training in trainings if training)
        return ["train", "dev", "test"] if scored else ["train", "test"]

    def runs(self, dataset: str, stage: str) -> list[tuple[str, int, str]]:
        """(system, seed, run file) of everything that is compared on a candidate set."""
        return [
            (system, seed, f"{self.out}/runs/{dataset}/{stage}/{system}/seed{seed}.trec")
            for system in self.suite.suite.systems
            for seed in self.suite.seeds_of(system)
        ]

    def reported(self, dataset: str, stage: str) -> list[str]:
        """What the report reads of a candidate set."""
        pair = f"{dataset}/{stage}"
        of_systems = [
            f"{kind}/{pair}/{system}.json"
            for kind, systems in (
                ("efficiency", self.suite.suite.systems),
                ("sensitivity", self.suite.suite.sensitivity),
            )
            for system in systems
        ]
        names = [f"scores/{pair}.parquet", f"audits/{pair}.json", f"statistics/{pair}.json"]
        if self.suite.judges:
            names.append(f"calibration/{pair}.json")
        return [f"{self.out}/{name}" for name in [*names, *of_systems]]

    def graded_runs(self, dataset: str, stage: str) -> list[tuple[str, int, str]]:
        """Those whose systems give grades."""
        return [run for run in self.runs(dataset, stage) if run[0] in self.suite.judges]

    def learned_from(self, stage: str) -> dict[str, list[str]]:
        """System -> the collections that it, a part of it or its first stage learned from."""
        below = [c for part in self.suite.stage_parts(stage) for c in self.suite.learns_from(part)]
        found = {
            name: list(dict.fromkeys(self.suite.learns_from(name) + below))
            for name in self.suite.suite.systems
        }
        return {n: [self.collection(c) for c in learned] for n, learned in found.items() if learned}

    @property
    def audits_leaks(self) -> bool:
        """Whether the report has a leak audit, whichever collections no network gives."""
        suite = self.suite
        audited = {pair: bool(self.learned_from(pair[1])) for pair in suite.pairs}
        certain = [found for (d, _), found in audited.items() if d not in suite.in_doubt]
        return any(certain) or all(audited.values())

    def _options(self, system: str) -> Any:
        return substitute(self.suite.systems[system].options, self.model_folder)

    def _own_encoder(self, system: str) -> str:
        """Where a trained system's own encoder lies."""
        return str(self._encoder_options(system, self.model_folder(system)).model)

    def _encoder_options(self, system: str, model_folder: str | None) -> Any:
        """The `EncoderOptions` of a system's passage embeddings, or None without any."""
        spec = self.suite.systems[system]
        options = options_of(spec.kind, self._options(system))
        return spec.reranker.encoder_options(options, spec.typed_training, model_folder)


def as_json(entry: BaseModel) -> str:
    """A configuration entry as the command line takes it; equal entries are equal text."""
    return json.dumps(entry.model_dump(mode="json"), sort_keys=True)


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA driver; torch would take seconds to say so."""
    return Path("/proc/driver/nvidia").exists()


def source_data(entry: CollectionKind | FirstStageKind) -> list[str]:
    """The user's files behind a collection or a first stage: a change runs the job again."""
    return [str(path) for path in entry.source_files()]


def options_text(name: str, values: list[str]) -> str:
    """A repeated option of the command line."""
    return " ".join(f"--{name} {value}" for value in values)
