"""A job from a suite and a few names: entries from the suite, paths from its plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from resrank.collections.base import CollectionKind
from resrank.evaluation.candidate_set import CandidateSet
from resrank.evaluation.seen_collection import SeenCollection, merged
from resrank.io.atomic import check_writable
from resrank.io.collection import Collection
from resrank.jobs.candidate_set_jobs import CalibrationJob, EmbedJob, FreezeJob, ScoreJob
from resrank.jobs.encode import EncodeJob
from resrank.jobs.measure import MeasureJob
from resrank.jobs.rerank import RerankJob
from resrank.jobs.sensitivity import SeededSystem, SensitivityJob
from resrank.jobs.teach import TeachJob
from resrank.jobs.train import TrainJob
from resrank.jobs.training_sources import TrainingSource
from resrank.records import Split
from resrank.shards import WHOLE, Shard
from resrank.suite.merged_suite import load_merged
from resrank.suite.plan import Plan
from resrank.suite.resolved import ReadCollection


class SuiteJobs:
    """Makes the jobs of the suite in `file`.

    Each method raises ValueError for a name that the suite lacks, NotWritable if the output cannot
    be written, and FileNotFoundError that names a missing input and the command that makes it. The
    outputs are checked first, before any input is read.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.suite = load_merged(file)
        self.plan = Plan(self.suite)

    def entry(self, collection: str) -> CollectionKind:
        """Return a collection's entry."""
        entry: CollectionKind = _pick(self.suite.collections, collection, "collection")
        return entry

    def candidates(self, collection: str, first_stage: str) -> FreezeJob:
        """Return the job that freezes a first stage's lists."""
        plan, names = self.plan, (collection, first_stage)
        _pick(self.suite.first_stages, first_stage, "first stage")
        out, store = self.writable(plan.candidates(*names)), self.writable(plan.store)
        fused, completed = plan.fused(*names), plan.stage_shards(*names)
        self.require([*fused.values(), *plan.stage_models(first_stage), *completed])
        return FreezeJob(
            collection=self.collection(collection),
            stage=plan.stage_entry(first_stage, collection),
            out=out,
            store=store,
            fused={name: Path(path) for name, path in fused.items()},
            shard_stores=[Path(path).with_suffix("") for path in completed],
        )

    def embed(self, collection: str, first_stage: str, shard: Shard) -> EmbedJob:
        """Return the job that embeds a shard of every passage for a dense first stage."""
        out = self.plan.stage_embeddings(collection, first_stage, _name_of(shard))
        store = self.writable(out.removesuffix(".json"))
        self.require(self.plan.stage_models(first_stage))
        return EmbedJob(
            passages=self.collection(collection).passages,
            encoder=self.plan.stage_encoder(first_stage),
            store=store,
            shard=shard,
            out=Path(out),
        )

    def encode(self, collection: str, encoder: str, shard: Shard = WHOLE) -> EncodeJob:
        """Return the job that embeds a collection's candidates."""
        plan, names = self.plan, _name_of(shard)
        chosen = _pick(plan.encoders, encoder, "encoder")
        out = self.writable(plan.embeddings(collection, encoder, names))
        store = self.writable(plan.store) if shard == WHOLE else out.with_suffix("")
        completed = plan.encode_shards(collection, encoder) if shard == WHOLE else []
        lists = plan.lists_to_encode(collection)
        self.require([*lists, *chosen.models, *completed])
        return EncodeJob(
            collection=self.collection(collection),
            candidates=[Path(path) for path in lists],
            splits=[Split(name) for name in plan.splits_to_encode(collection, encoder)],
            encoder=chosen.options,
            store=store,
            out=out,
            shard=shard,
            shard_stores=[Path(path).with_suffix("") for path in completed],
        )

    def train(self, system: str, seed: int | None) -> TrainJob:
        """Return the training of a system with one seed; default: its first seed."""
        plan, seed = self.plan, self.seed(system, seed)
        if self.suite.systems[system].training is None:
            raise ValueError(f"system {system!r} is not trained: its entry has no `training`")
        out, store = self.writable(plan.model_folder(system, seed)), self.writable(plan.store)
        self.require([*plan.training_lists(system), *plan.encoded_for_training(system, seed)])
        self.require([*plan.teacher_runs(system), *plan.used_models(system, seed)])
        return TrainJob(
            name=system,
            system=plan.training_entry(system, seed),
            used_models=[Path(path) for path in plan.used_models(system, seed)],
            sources=self._sources(system),
            instructions=plan.instructions(system),
            out=out,
            seed=seed,
            store=store,
            checkpoints=Path(plan.checkpoints(system, seed)),
        )

    def rerank(
        self, collection: str, first_stage: str, system: str, seed: int | None, shard: Shard = WHOLE
    ) -> RerankJob:
        """Return a system's run over a candidate set, or a shard of it."""
        plan, seed = self.plan, self.seed(system, seed)
        out = self.writable(plan.run(collection, first_stage, system, seed, _name_of(shard)))
        store = self.writable(plan.store)
        candidates = plan.candidates(collection, first_stage)
        model = plan.model(system, seed)
        self.require([candidates, *plan.encoded(collection, system, seed), *model])
        return RerankJob(
            **self._system(system, collection, candidates, seed),
            collection=self.collection(collection),
            out=out,
            store=store,
            seed=seed,
            model=Path(plan.model_folder(system, seed)) if model else None,
            shard=shard,
            accepts_rejected=system in self.suite.companions,
        )

    def teach(
        self, collection: str, first_stage: str, system: str, seed: int | None, shard: Shard = WHOLE
    ) -> TeachJob:
        """Return a teacher's run over training queries, or a shard of it.

        Its embeddings have a store of their own: the one that systems share is filled from every
        list of the collection, and a list may depend on a model that this run teaches.
        """
        plan, seed = self.plan, self.seed(system, seed)
        work = plan.teaching_work(collection, first_stage, system)
        if not work:
            raise ValueError(
                f"no system of the suite is trained on the lists of {first_stage!r} over "
                f"{collection!r} with `teacher: system:{system}`"
            )
        out = self.writable(plan.teaching(collection, first_stage, system, seed, _name_of(shard)))
        candidates, model = plan.candidates(collection, first_stage), plan.model(system, seed)
        self.require([candidates, *model])
        return TeachJob(
            **self._system(system, collection, candidates, seed),
            collection=self.collection(collection),
            out=out,
            store=Path(plan.teaching_store(str(out))),
            seed=seed,
            model=Path(plan.model_folder(system, seed)) if model else None,
            shard=shard,
            work=work,
        )

    def measure(self, collection: str, first_stage: str, system: str) -> MeasureJob:
        """Return the measurement of a system, by the model of its first seed."""
        plan, seed = self.plan, self.seed(system, None)
        out = self.writable(plan.efficiency(collection, first_stage, system))
        store = self.writable(plan.store)
        candidates = plan.candidates(collection, first_stage)
        model = plan.model(system, seed)
        runs = plan.recorded_runs(collection, first_stage, system)
        self.require([candidates, *plan.encoded(collection, system, seed), *model, *runs])
        return MeasureJob(
            **self._system(system, collection, candidates, seed),
            collection=self.collection(collection),
            out=out,
            measurement=self.suite.suite.measure,
            seed=seed,
            model=Path(plan.model_folder(system, seed)) if model else None,
            store=store,
            run=Path(runs[0]) if runs else None,
        )

    def sensitivity(self, collection: str, first_stage: str, system: str) -> SensitivityJob:
        """Return the reruns of a system, by the models of all its seeds."""
        plan = self.plan
        _pick(self.suite.systems, system, "system")
        out = self.writable(plan.sensitivity(collection, first_stage, system))
        candidates = plan.candidates(collection, first_stage)
        seeds = self.suite.seeds_of(system)
        self.require([candidates, *plan.models_of_all_seeds(system)])
        return SensitivityJob(
            **self._system(system, collection, candidates),
            collection=self.collection(collection),
            out=out,
            seeds=[self._seeded(system, collection, seed) for seed in seeds],
        )

    def _seeded(self, system: str, collection: str, seed: int) -> SeededSystem:
        model = self.plan.model_folder(system, seed) if self.plan.model(system) else None
        entry = self.plan.system_entry(system, collection, seed)
        return SeededSystem(seed, entry, Path(model) if model else None)

    def merge(
        self,
        collection: str,
        first_stage: str,
        system: str,
        seed: int | None,
        teaching: bool = False,
    ) -> tuple[list[Path], Path]:
        """Return the runs of a job's shards and the run to write; or those that teach."""
        names = (collection, first_stage, system, self.seed(system, seed))
        path_of, job = (self.plan.teaching, "teach") if teaching else (self.plan.run, "rerank")
        if not self.plan.shard_names:
            raise ValueError(f"the suite has no `shards`: `job {job}` writes {system!r}'s run")
        out = self.writable(path_of(*names))
        shards = [path_of(*names, shard) for shard in self.plan.shard_names]
        self.require(shards)
        return [Path(shard) for shard in shards], out

    def score(self, collection: str, first_stage: str) -> ScoreJob:
        """Return the job that scores and audits the runs of a candidate set."""
        plan = self.plan
        out = self.writable(plan.scores(collection, first_stage))
        audits = self.writable(plan.audits(collection, first_stage))
        runs = plan.runs(collection, first_stage)
        candidates = plan.candidates(collection, first_stage)
        self.require([candidates, *(path for _, _, path in runs)])
        read = plan.read_in_training(collection, first_stage)
        return ScoreJob(
            candidate_set=CandidateSet(
                self.collection(collection), Path(candidates), self.entry(collection).relevant_grade
            ),
            runs=_by_system_and_seed(runs),
            metrics=self.suite.suite.metrics,
            trained_on={n: self._seen(parts) for n, parts in read.items()},
            out=out,
            audits=audits,
        )

    def calibration(self, collection: str, first_stage: str) -> CalibrationJob:
        """Return the job that compares grades in runs with those of judged passages."""
        plan, names = self.plan, (collection, first_stage)
        out = self.writable(plan.calibration(*names))
        runs = plan.graded_runs(*names)
        self.require([plan.candidates(*names), *(path for _, _, path in runs)])
        return CalibrationJob(
            collection=self.collection(collection),
            candidates=Path(plan.candidates(*names)),
            runs=_by_system_and_seed(runs),
            out=out,
        )

    def collection(self, name: str) -> Collection:
        """Open a collection on disk."""
        self.require([self.plan.collection_manifest(name)])
        return Collection(Path(self.plan.collection(name)))

    def seed(self, system: str, seed: int | None) -> int:
        """Return a seed of a system: the first if None. ValueError if the suite lacks it."""
        _pick(self.suite.systems, system, "system")
        seeds = self.suite.seeds_of(system)
        if seed is not None and seed not in seeds:
            raise ValueError(
                f"system {system!r} has no seed {seed}; allowed: {', '.join(map(str, seeds))}"
            )
        return seeds[0] if seed is None else seed

    def require(self, paths: Iterable[str]) -> None:
        """Raise FileNotFoundError for a missing input, with the command that makes it."""
        for path in paths:
            job = self.plan.job_for(path)
            if not Path(path).exists():
                advice = f"; make it with `python -m resrank {job} --suite {self.file}`"
                raise FileNotFoundError(f"no {path}{advice if job else ''}")

    def writable(self, path: str) -> Path:
        """Return an output's path, or raise: a job of hours must not fail at its end."""
        return check_writable(Path(path))

    def _seen(self, read: Iterable[ReadCollection]) -> list[SeenCollection]:
        """Return what trainings read, with the collections opened."""
        return merged(
            SeenCollection(self.collection(part.collection), part.labels, part.pseudo_queries)
            for part in read
        )

    def _sources(self, system: str) -> list[TrainingSource]:
        """Return the collections that a system is trained on."""
        mixture = self.suite.mixture(system)
        lists = map(Path, self.plan.training_lists(system))
        return [
            TrainingSource(
                name=name,
                collection=self.collection(name),
                candidates=candidates,
                weight=weight,
                instruction=self.suite.collections[name].instruction,
                stage=self.plan.stage_entry(self.suite.systems[system].trained_with, name),
            )
            for (name, weight), candidates in zip(mixture.items(), lists, strict=True)
        ]

    def _system(
        self, system: str, collection: str, candidates: str, seed: int | None = None
    ) -> dict[str, Any]:
        """Return what the jobs that run a system on a collection share."""
        used_models = self.plan.used_models(system, seed)
        self.require(used_models)
        return {
            "name": system,
            "system": self.plan.system_entry(system, collection, seed),
            "candidates": Path(candidates),
            "used_models": [Path(path) for path in used_models],
        }


def _by_system_and_seed(
    runs: Iterable[tuple[str, int, str]],
) -> dict[tuple[str, int], Path]:
    return {(system, seed): Path(path) for system, seed, path in runs}


def _name_of(shard: Shard) -> str:
    """Return a shard's name in paths: '' for a whole job."""
    return "" if shard == WHOLE else f"{shard.number}of{shard.of}"


def _pick(section: Mapping[str, Any], name: str, what: str) -> Any:
    if name not in section:
        names = ", ".join(sorted(section))
        advice = f"known: {names}" if names else "the suite has none"
        raise ValueError(f"unknown {what} {name!r}; {advice}")
    return section[name]
