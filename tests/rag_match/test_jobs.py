"""The harness's jobs, from a collection in three grades to a run with its grades."""

import json

import numpy as np

from resrank.candidates.bm25 import Bm25Stage
from resrank.candidates.freeze import freeze
from resrank.collections.beir import BeirCollection
from resrank.io.collection import Collection
from resrank.io.grades import grades_of, read_grades
from resrank.jobs.rerank import RerankJob, rerank
from resrank.jobs.train import TrainJob, train
from resrank.jobs.training_sources import TrainingSource
from resrank.suite.schema import System
from tests.shapes import save_causal


def test_a_judge_is_trained_and_its_run_has_grades(beir, tmp_path):
    entry = BeirCollection(kind="beir", path=beir, grades_from=(1, 2))
    entry.collect(tmp_path / "collection")
    collection = Collection(tmp_path / "collection")
    lists = tmp_path / "bm25.parquet"
    freeze(collection, Bm25Stage(kind="bm25", depth=6), lists)
    llm = {"kind": "transformers", "model": save_causal(tmp_path / "lm", "qwen3")}
    whole = {"share": [0, 1], "pairs": 2}
    spec = System.model_validate({
        "kind": "rag_match",
        "options": {"llm": llm | {"dtype": "float32"}, "max_new_tokens": 8},
        "training": {"knowledge": {}, "alignment": whole, "calibration": whole},
    })  # fmt: skip
    model, run = tmp_path / "models" / "seed1", tmp_path / "runs" / "seed1.trec"
    train(
        TrainJob(
            name="judge",
            system=spec,
            sources=[TrainingSource(name="mine", collection=collection, candidates=lists)],
            seed=1,
            store=tmp_path / "store",
            checkpoints=tmp_path / "state",
            out=model,
        )
    )
    assert not (tmp_path / "state").exists()
    about = json.loads((model / "provenance.json").read_text())
    assert about["knowledge"]["documents"] + about["knowledge"]["queries_without_evidence"] == 2
    assert about["alignment"]["of_grade"] == {"1": 2}  # the two judged training pairs
    rerank(
        RerankJob(
            name="judge",
            system=spec,
            collection=collection,
            candidates=lists,
            store=tmp_path / "store",
            out=run,
            seed=1,
            model=model,
        )
    )
    grades = read_grades(grades_of(run))
    assert set(grades) == {"q1", "q2"}
    for passages in grades.values():
        expected = [float(np.dot(row, range(3))) for row in passages.values()]
        assert expected == sorted(expected, reverse=True)
    manifest = json.loads(run.with_suffix(".manifest.json").read_text())
    assert "seed1.grades.parquet" in manifest["outputs"]
    assert manifest["about"]["parameters"]["weights"]
