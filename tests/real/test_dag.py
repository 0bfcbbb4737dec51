"""The whole DAG on a part of SciFact (BEIR folder) and DL19 (imported candidates), all five systems."""

import json

import pandas as pd
import pytest

from resrank.evaluation import score
from tests.dag import copy_project, snakemake
from tests.real.scifact import write_part

pytestmark = pytest.mark.real

ENCODER = {"model": "sentence-transformers/all-MiniLM-L6-v2", "max_tokens": 32}
RESRANK = {"encoder": ENCODER, "reranker": {"layers": 1}, "query_slot": True}
STAGES = {"stages": [{"order": "first_stage", "batch_queries": 4}]}
SYSTEMS = {
    "bi_encoder": {"kind": "bi_encoder", "options": ENCODER},
    "cross_encoder": {"kind": "cross_encoder", "options": ENCODER,
                      "training": {"max_queries": 10, "max_tokens": 32, "negatives": 1}},
    "resrank": {"kind": "resrank", "options": RESRANK, "training": STAGES},
    "resrank_no_residual": {"kind": "resrank", "options": {**RESRANK, "residual_weight": 0},
                            "training": STAGES},
}  # fmt: skip


@pytest.fixture(scope="module")
def results(real_data, tmp_path_factory):
    dl19 = real_data / "dl19"
    part = write_part(real_data / "scifact", tmp_path_factory.mktemp("scifact") / "part", 30, 120)
    scifact = {"kind": "beir", "path": str(part), "test_sample": 10, "train_sample": 20}
    imported = {"kind": "candidates", "path": str(dl19 / "bm25_top100.json"),
                "qrels": str(dl19 / "qrels.txt"), "relevant_grade": 2, "test_sample": 3}  # fmt: skip
    suite = {
        "name": "real", "collections": ["scifact", "dl19"], "systems": ["bm25", *SYSTEMS],
        "seeds": [1], "untrained": False, "measure": {"queries": 1, "warmup": 0},
        "define": {"collections": {"scifact": scifact, "dl19": imported}, "systems": SYSTEMS,
                   "first_stages": {"bm25": {"kind": "bm25", "depth": 20}}},
    }  # fmt: skip
    folder = copy_project(tmp_path_factory.mktemp("real"), suite)
    done = snakemake(folder, "all")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "results" / "real"


def test_the_comparison_has_a_row_per_system_and_collection(results):
    table = pd.read_csv(results / "tables" / "comparison.csv")
    rows = list(table[["collection", "first_stage", "system"]].itertuples(index=False, name=None))
    stages = [("scifact", "bm25"), ("dl19", "imported")]
    means = ("mean of 2", "bm25, imported")
    assert rows == [(*s, name) for s in [*stages, means] for name in ("bm25", *SYSTEMS)]
    assert table["queries"].dropna().tolist() == [10] * 5 + [3] * 5
    scores = table["nDCG@10"].to_numpy().reshape(3, -1)
    assert scores[2] == pytest.approx(scores[:2].mean(axis=0), abs=1e-5)  # the table has six digits
    assert table["nDCG@10"].between(0.01, 1).all()
    for name in ("comparison", "first_stages", "leak"):
        for ending in ("csv", "md", "tex"):
            assert (results / "tables" / f"{name}.{ending}").stat().st_size > 0
    for name in ("effectiveness_latency", "effectiveness_tokens"):
        for ending in ("svg", "png"):
            assert (results / "figures" / f"{name}.{ending}").stat().st_size > 0


def test_leaks_of_systems_trained_on_scifact_and_tested_on_both(results):
    leaks = pd.read_csv(results / "tables" / "leak.csv")
    assert set(leaks["trained on"]) == {"scifact", "nothing (held against scifact)"}
    assert (leaks[leaks["collection"] == "dl19"]["overlap"] == 0).all()
    assert (leaks[leaks["collection"] == "scifact"]["test positives"] >= 10).all()


def test_binary_metrics_count_grades_from_two_on_dl19(results):
    scores = pd.read_parquet(results / "scores" / "dl19" / "imported.parquet")
    manifest = json.loads((results / "scores" / "dl19" / "imported.manifest.json").read_text())
    assert manifest["config"]["relevant_grade"] == 2
    note = "Binary metrics count grades from 2 for dl19."
    assert note in (results / "tables" / "comparison.md").read_text()
    plain = {"nDCG@10", "MRR@10", "Recall@100"}
    metrics = scores.groupby("system")["metric"].unique().map(set).to_dict()
    assert metrics["cross_encoder"] == plain
    assert metrics["resrank"] == plain | {f"{score.ENCODER}{metric}" for metric in plain}
