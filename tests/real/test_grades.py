"""Real collections: their number of passages per grade, and the pairs a run leaves out."""

import json
from collections import Counter

import numpy as np
import pytest

from resrank.candidates.freeze import freeze
from resrank.evaluation.calibration import calibrate_runs
from resrank.io.collection import Collection
from resrank.jobs.rerank import RerankJob, rerank
from resrank.records import Split
from resrank.suite.library import library
from resrank.suite.schema import System
from tests.entries import parse_first_stage

pytestmark = pytest.mark.real


def collected(tmp_path, name, **more):
    """Collect a library entry from local files; `more` replaces fields of the entry."""
    spec = library().collections[name].model_copy(update=more)
    spec.collect(tmp_path / name)
    return Collection(tmp_path / name)


def counts(collection):
    """Return the number of judged test passages with grade 0, 1 and 2."""
    judged = collection.graded({}, Split.TEST)
    passages = Counter(grade for grades in judged.values() for grade in grades.values())
    return [passages[grade] for grade in (0, 1, 2)]


def calibrated(collection, stage, tmp_path):
    """Return the calibration of a judge that grades passages by their length."""
    candidates, run = tmp_path / "lists.parquet", tmp_path / "seed0.trec"
    freeze(collection, parse_first_stage(stage), candidates)
    judge = System(kind="tests.test_grades:Judge")
    rerank(
        RerankJob(
            name="judge",
            system=judge,
            collection=collection,
            candidates=candidates,
            store=tmp_path,
            out=run,
        )
    )
    calibrate_runs(collection, candidates, {("judge", 0): run}, tmp_path / "c.json")
    (measures,) = json.loads((tmp_path / "c.json").read_text())["systems"]
    assert np.sum(measures["confusion"], axis=1).tolist() == measures["true_grades"]
    return measures


def test_noveleval_judges_every_pair(real_data, tmp_path):
    """The entry's counts hold. No pair of a query and one of its twenty passages is left out."""
    collection = collected(tmp_path, "noveleval", path=real_data / "noveleval")
    assert counts(collection) == [290, 40, 90]
    qrels = collection.qrels(Split.TEST)
    rows = [f"{q} Q0 {p} {n} {-n} given" for q in qrels for n, p in enumerate(qrels[q], start=1)]
    (tmp_path / "given.run").write_text("\n".join(rows))
    given = calibrated(collection, {"kind": "run", "path": str(tmp_path / "given.run")}, tmp_path)
    assert (given["queries"], given["pairs"], given["not_judged"]) == (21, 420, 0)
    bm25 = calibrated(
        collection, {"kind": "bm25"}, tmp_path
    )  # ranks all 420 passages, also those of other queries
    assert (bm25["queries"], bm25["pairs"]) == (21, 409)
    assert bm25["not_judged"] > 1000


def test_dl19_has_three_grades_and_unjudged_pairs(real_data, tmp_path):
    dl19 = real_data / "dl19"
    files = {"path": dl19 / "bm25_top100.json", "qrels": dl19 / "qrels.txt"}
    collection = collected(tmp_path, "trec_dl_2019_published", **files)
    assert counts(collection) == [5158, 1601, 2501]
    measures = calibrated(collection, {"kind": "imported"}, tmp_path)
    assert (measures["pairs"], measures["not_judged"]) == (2257, 2043)
    assert measures["true_grades"] == [885, 526, 846]


def test_scifact_judges_only_relevant_passages(real_data, tmp_path):
    """With one grade, nothing is over-estimated, and npnr is None: no pair of grades to order."""
    scifact = {"path": real_data / "scifact", "archive": None, "test_sample": 20}
    collection = collected(tmp_path, "scifact", **scifact, counts=library().collections["docstrings"].counts)  # fmt: skip
    none, partly, relevant = counts(collection)
    assert none == partly == 0 < relevant
    measures = calibrated(collection, {"kind": "bm25"}, tmp_path)
    assert (measures["over_estimation"], measures["npnr"]) == (0, None)
