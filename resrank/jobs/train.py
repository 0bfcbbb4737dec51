"""The train job: train one system with one seed on the train splits of its collections."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from resrank.io.atomic import write_text
from resrank.io.environment import environment
from resrank.io.hashing import hashed, sha256_lines
from resrank.io.manifest import files_below, manifest_of, write_manifest
from resrank.io.source_hash import hash_of_sources
from resrank.jobs.inputs import SystemJob
from resrank.jobs.training_sources import (
    TrainingSource,
    dev_score,
    examples_of,
    inputs_of,
    own_text_of,
)
from resrank.records import Split
from resrank.reranker import TrainingData, TrainingJob
from resrank.suite.entry_classes import training_classes
from resrank.training.teacher_options import of_collections


@dataclass(frozen=True, kw_only=True)
class TrainJob(SystemJob):
    """The training of one system with one seed.

    sources: the collections that it learns from.
    store: folder of the passage embeddings that systems share.
    checkpoints: folder for the state that a killed job resumes from; removed at the end.
    instructions: text options with `{instruction}` in them, as the suite has them.
    """

    sources: Sequence[TrainingSource]
    seed: int
    store: Path
    checkpoints: Path
    instructions: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> dict[str, Path | str]:
        """Return the collections and their candidates."""
        return inputs_of(self.sources)

    def training_inputs(self) -> dict[str, Path | str]:
        """Return what the model depends on, the user's files of options and training included."""
        training = self.system.typed_training
        names = [source.name for source in self.sources]
        files = list(self.system.typed_options.files)
        for file in training.files if training else []:
            files += of_collections(file, names)
        return self.inputs(files=files)


def train(job: TrainJob) -> None:
    """Train one system with one seed and save it under `out`, with its training log beside it.

    The manifest holds the log's first and last row: the losses and measures of the untrained and
    of the trained model.
    """
    from resrank.training.processes import processes

    run = processes()
    training = job.system.typed_training
    if training is None:
        raise ValueError(f"system {job.name!r} has no `training`: there is nothing to train")
    own_text = own_text_of(job.sources, training.pseudo_queries)
    inputs = job.training_inputs()
    key = _key(job, hashed(inputs))
    log = TrainingLog(job.checkpoints / f"{key[:16]}.log.jsonl", run.is_main)
    with log as on_step:
        job.system.reranker.train(
            job.system.typed_options,
            training,
            TrainingData(
                examples_of(job.sources, Split.TRAIN),
                examples_of(job.sources, Split.DEV),
                own_text.examples,
            ),
            job.out,
            TrainingJob(
                job.store,
                job.checkpoints,
                key,
                on_step,
                dev_score(job.sources),
                seed=job.seed,
                instructions=job.instructions,
            ),
        )
    if not run.is_main:
        return
    curve = job.out.with_name(f"{job.out.name}.log.jsonl")
    rows = log.rows()
    write_text(curve, "".join(rows))
    shutil.rmtree(job.checkpoints, ignore_errors=True)
    write_manifest(
        manifest_of(job.out),
        inputs=inputs,
        config=job.system.model_dump(mode="json"),
        system=job.name,
        seed=job.seed,
        **job.model_files,
        first_step=json.loads(rows[0]) if rows else None,
        last_step=json.loads(rows[-1]) if rows else None,
        **({"instructions": dict(job.instructions)} if job.instructions else {}),
        **({"own_text": own_text.counts} if own_text.counts else {}),
        outputs=[curve, *files_below(job.out)],
    )


def _key(job: TrainJob, inputs: dict[str, str]) -> str:
    """Return a hash of all that a checkpoint depends on; another job's checkpoint is ignored."""
    about = [job.name, job.seed, job.system.model_dump(mode="json"), inputs]
    about += [job.model_files] if job.model_files else []
    about.append(environment()["packages"])
    sources = hash_of_sources(__name__, *training_classes(job.system))
    return sha256_lines([json.dumps(about, sort_keys=True), sources])


class TrainingLog:
    """One row per step, kept beside the checkpoints, so that a killed job's rows are not lost."""

    def __init__(self, path: Path, kept: bool) -> None:
        self.path = path
        self.kept = kept

    def __enter__(self) -> Callable[[dict[str, float]], None] | None:
        """Return a function that writes a row; None in a process that keeps no log."""
        if not self.kept:
            return None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open("a", encoding="utf-8")
        return lambda row: print(json.dumps(row), file=self.file, flush=True)

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self.kept:
            self.file.close()

    def rows(self) -> list[str]:
        """Return the rows in order, a line per step; of a repeated step, the last row counts."""
        rows: dict[tuple[str, int], str] = {}
        for line in self.path.read_text("utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # cut off by a kill; the step was repeated
            rows[row["phase"], row["step"]] = line + "\n"
        return list(rows.values())
