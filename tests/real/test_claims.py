"""Claims are judged from recorded data: BM25 and RankVicuna on DL19 are reproduced."""

import json
import subprocess
import sys

import pytest

from resrank.candidates.bm25 import Bm25Stage
from resrank.candidates.freeze import freeze
from resrank.candidates.imported import ImportedStage
from resrank.collections.beir import BeirCollection
from resrank.collections.candidates import CandidatesCollection
from resrank.evaluation.candidate_set import CandidateSet
from resrank.evaluation.score import score_runs
from resrank.io.collection import Collection
from resrank.io.manifest import read_checked_json
from resrank.jobs.rerank import RerankJob, rerank
from resrank.reporting.claims import judge_all
from resrank.suite.schema import System

pytestmark = pytest.mark.real


def transcript(responses, out):
    """Write the recording as a transcript, one row per prompt with its answer; return its path."""
    rows = [
        {
            "prompt": [{"role": "text", "content": row["prompt"]}],
            "parameters": {"max_new_tokens": 120}, "text": row["response"], "prompt_tokens": 0,
            "generated_tokens": 0, "seconds": 0,
        }
        for row in map(json.loads, responses.read_text("utf-8").splitlines())
    ]  # fmt: skip
    out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return out


def run(root, dataset, stage, systems):
    """Rerank and score as the DAG's jobs do; write the files that they write under `root`."""
    collection = Collection(root / "collections" / dataset)
    candidates = root / "candidates" / dataset / f"{stage}.parquet"
    runs = {}
    for name, spec in systems.items():
        runs[name, 0] = root / "runs" / dataset / stage / name / "seed0.trec"
        rerank(
            RerankJob(
                name=name,
                system=System.model_validate(spec),
                collection=collection,
                candidates=candidates,
                store=root,
                out=runs[name, 0],
            )
        )
    scores = root / "scores" / dataset / f"{stage}.parquet"
    candidate_set = CandidateSet(collection, candidates)
    score_runs(candidate_set, runs, ["nDCG@10"], {}, scores, root / "audits.json")


@pytest.fixture(scope="module")
def root(real_data, tmp_path_factory):
    dl19, root = real_data / "dl19", tmp_path_factory.mktemp("results")
    spec = CandidatesCollection(
        kind="candidates", path=dl19 / "bm25_top100.json", qrels=dl19 / "qrels.txt"
    )
    name = "trec_dl_2019_published"
    spec.collect(root / "collections" / name)
    freeze(
        Collection(root / "collections" / name), ImportedStage(kind="imported"),
        root / "candidates" / name / "imported.parquet",
    )  # fmt: skip
    recorded = transcript(dl19 / "rankvicuna_bm25.responses.jsonl", root / "vicuna.jsonl")
    llm = {"kind": "replay", "transcript": str(recorded)}
    systems = {
        "bm25": {"kind": "first_stage"},
        "rank_vicuna": {"kind": "rankgpt", "options": {"llm": llm, "prompt": "rankvicuna"}},
    }
    run(root, name, "imported", systems)
    BeirCollection(kind="beir", path=real_data / "scifact").collect(root / "collections/scifact")
    freeze(
        Collection(root / "collections/scifact"), Bm25Stage(kind="bm25"),
        root / "candidates/scifact/bm25.parquet",
    )  # fmt: skip
    run(root, "scifact", "bm25", {"bm25": systems["bm25"]})
    return root


def test_bm25_and_rankvicuna_on_dl19_are_reproduced(root):
    verdicts = judge_all(root).set_index("claim")
    assert verdicts.loc[["bm25_dl19", "rank_vicuna_dl19"], "verdict"].tolist() == ["reproduced"] * 2
    differences = verdicts.loc[["bm25_dl19", "rank_vicuna_dl19"], "difference"]
    assert differences.abs().max() <= 0.00005  # the rounding of the published figures
    assert verdicts.loc["bm25_scifact", "verdict"] in ("reproduced", "differs")
    assert verdicts["measured"].notna().sum() == 3
    assert verdicts.loc["rank_zephyr_dl19", "verdict"] == (
        "not run (no nDCG@10 of rank_zephyr on trec_dl_2019_published; no trec_dl_2019 under bm25)"
    )


def test_published_runs_are_compared_query_by_query(root, real_data, tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(real_data)
    monkeypatch.chdir(tmp_path)
    verdicts = judge_all(root).set_index("claim").loc[["bm25_dl19", "rank_vicuna_dl19"]]
    assert verdicts["verdict"].tolist() == ["reproduced"] * 2
    assert verdicts["paired"].tolist() == [True, True]
    assert (verdicts[["low", "high"]] == 0).all(axis=None)  # document for document
    assert verdicts["queries"].tolist() == ["43 of 43 judged"] * 2


def test_the_claims_command_prints_the_claims_that_were_run(root):
    lines = subprocess.run(
        [sys.executable, "-m", "resrank", "claims", "--root", str(root)],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    print("\n".join(lines))
    assert len(lines) == 4
    assert lines[0].startswith("bm25_dl19: reproduced. nDCG@10: published 0.5058, measured 0.5058")


def test_a_claim_is_not_judged_on_another_number_of_candidates(root):
    path = root / "candidates/scifact/bm25.manifest.json"
    original = path.read_text()
    path.write_text(json.dumps(read_checked_json(path) | {"depth": 50}))
    try:
        verdicts = judge_all(root).set_index("claim")
    finally:
        path.write_text(original)
    assert (
        verdicts.loc["bm25_scifact", "verdict"]
        == "not comparable (scifact: 50 candidates, not 100)"
    )
