"""The train job: train one system with one seed on a collection's train split."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from resrank.io.atomic import write_text
from resrank.io.candidate_lists import candidate_lists
from resrank.io.collection import Collection
from resrank.io.environment import environment
from resrank.io.hashing import hashed, sha256_lines, sources_hash
from resrank.io.manifest import files_below, manifest_of, write_manifest
from resrank.jobs.inputs import inputs_of
from resrank.records import Ranking, Split, TrainingExample
from resrank.reranker import TrainingData, TrainingJob
from resrank.suite.schema import System


def train(
    collection: Collection, candidates: Path, name: str, spec: System, seed: int,
    store: Path, checkpoints: Path, parts: Sequence[Path], out: Path,
) -> None:  # fmt: skip
    """Train one system with one seed and save it under `out`, with its training log beside it.

    checkpoints: where the state of a killed run lies; removed once the model is written; parts:
    manifests of the trained models that this one stands on.
    """
    from resrank.training.processes import processes

    run = processes()
    training = spec.typed_training
    if training is None:
        raise ValueError(f"system {name!r} has no `training`: there is nothing to train")
    examples = training_examples(collection, candidates)
    inputs = inputs_of(collection, candidates, parts, files=training.files)
    about = [name, seed, spec.model_dump(mode="json"), hashed(inputs), environment()["packages"]]
    key = sha256_lines([json.dumps(about, sort_keys=True), sources_hash()])
    log = TrainingLog(checkpoints / f"{key[:16]}.log.jsonl", run.is_main)
    with log as on_step:
        data = TrainingData(examples[Split.TRAIN], examples[Split.DEV])
        job = TrainingJob(store, checkpoints, key, on_step, _dev_score(collection), seed=seed)
        spec.reranker.train(spec.typed_options, training, data, out, job)
    if not run.is_main:
        return
    curve = out.with_name(f"{out.name}.log.jsonl")
    write_text(curve, log.text())
    shutil.rmtree(checkpoints, ignore_errors=True)
    write_manifest(
        manifest_of(out),
        inputs=inputs,
        config=spec.model_dump(mode="json"),
        system=name,
        seed=seed,
        outputs=[curve, *files_below(out)],
    )


def training_examples(
    collection: Collection, candidates: Path
) -> dict[Split, list[TrainingExample]]:
    """Train and dev queries with their lists, grades and relevant passages."""
    lists = candidate_lists(collection, candidates, Split.TRAIN, Split.DEV)
    passages = collection.passages.judged(collection.qrels(Split.TRAIN, Split.DEV))
    ids = {query_id: [c.passage.id for c in found] for query_id, found in lists.items()}
    examples: dict[Split, list[TrainingExample]] = {}
    for split in (Split.TRAIN, Split.DEV):
        qrels = collection.qrels(split)
        graded = collection.graded(ids, split) if collection.has_grades else {}
        examples[split] = [
            TrainingExample(
                query=q,
                candidates=lists.get(q.id, []),
                grades=qrels.get(q.id, {}),
                positives=[
                    passages[p] for p, g in qrels.get(q.id, {}).items() if g > 0 and p in passages
                ],
                graded=graded.get(q.id, {}),
            )
            for q in collection.queries(split)
        ]
    return examples


def _dev_score(collection: Collection) -> Callable[[Sequence[Ranking]], float]:
    """nDCG@10 of rankings, over the dev queries that are ranked."""
    from resrank.evaluation.metrics import averages, falling, per_query

    qrels = collection.qrels(Split.DEV)

    def score(rankings: Sequence[Ranking]) -> float:
        run = {r.query_id: falling(r.passage_ids) for r in rankings}
        judged = {q: qrels[q] for q in run if q in qrels}
        return averages(per_query(["nDCG@10"], judged, run))["nDCG@10"]

    return score


class TrainingLog:
    """A row a step, kept beside the checkpoints, so that a killed job's rows are not lost."""

    def __init__(self, path: Path, kept: bool) -> None:
        self.path = path
        self.kept = kept

    def __enter__(self) -> Callable[[dict[str, float]], None] | None:
        """What writes a row; nothing in a process that keeps no log."""
        if not self.kept:
            return None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = self.path.open("a", encoding="utf-8")
        return lambda row: print(json.dumps(row), file=self.file, flush=True)

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self.kept:
            self.file.close()

    def text(self) -> str:
        """The rows in order, one a step: steps that were done again count as they ended."""
        rows: dict[tuple[str, int], str] = {}
        for line in self.path.read_text("utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # torn by a kill; the step was done again
            rows[row["phase"], row["step"]] = line + "\n"
        return "".join(rows.values())
