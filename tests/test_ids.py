"""Ids as real collections have them, from the folder to the scores."""

import json

import pandas as pd
import pytest

from resrank.candidates.freeze import freeze
from resrank.evaluation.candidate_set import CandidateSet
from resrank.evaluation.score import score_runs
from resrank.io.collection import Collection
from resrank.io.trec import read_run
from resrank.jobs.rerank import RerankJob, rerank
from resrank.suite.schema import System
from tests.conftest import write_beir
from tests.entries import parse_collection, parse_first_stage

# An id that a query and a passage share, ids with spaces, slashes and letters of any script.
PASSAGES = {"1": "sort an array", "a b/c": "shortest path of a graph", "naïve/é 日本": "a matrix"}
QUERIES = {"1": "sort", "q /2": "shortest path", "日本 é": "matrix", "none": "zebra"}
QRELS = [("1", "1", 1), ("1", "1", 1), ("q /2", "a b/c", 1), ("q /2", "gone", 1),
         ("日本 é", "naïve/é 日本", 1), ("none", "1", 1)]  # fmt: skip


def test_from_the_folder_to_the_scores(tmp_path):
    folder = write_beir(tmp_path / "beir", PASSAGES, QUERIES, {"test": QRELS})
    parse_collection({"kind": "beir", "path": str(folder)}).collect(tmp_path / "c")
    made = Collection(tmp_path / "c")
    assert made.manifest["counts"]["judgments"] == 5  # the duplicate counts once
    assert made.manifest["counts"]["judged_passages_absent"] == 1
    lists, run = tmp_path / "bm25.parquet", tmp_path / "seed0.trec"
    freeze(made, parse_first_stage({"kind": "bm25"}), lists)
    about = json.loads((tmp_path / "bm25.manifest.json").read_text())["splits"]["test"]
    assert about["queries_without_candidates"] == 1
    spec = System.model_validate({"kind": "first_stage"})
    rerank(
        RerankJob(
            name="bm25", system=spec, collection=made, candidates=lists, store=tmp_path, out=run
        )
    )
    assert {q: result[0][0] for q, result in read_run(run).items()} == {
        "1": "1", "q /2": "a b/c", "日本 é": "naïve/é 日本",
    }  # fmt: skip
    scores = tmp_path / "scores.parquet"
    audits = tmp_path / "audits.json"
    score_runs(CandidateSet(made, lists), {("bm25", 0): run}, ["Recall@100"], {}, scores, audits)
    values = pd.read_parquet(scores).set_index("query_id")["value"].to_dict()
    assert values == {"1": 1.0, "q /2": 0.5, "日本 é": 1.0, "none": 0.0}
    assert sum(values.values()) / 4 == pytest.approx(0.625)
