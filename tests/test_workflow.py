"""The DAG itself, through Snakemake, on a small folder in BEIR layout."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml

from resrank.io.trec import read_run
from tests.conftest import write_beir
from tests.dag import command, contents, copy_project, snakemake, with_forks

TINY = {"encoder": {"dtype": "float32"}, "reranker": {"layers": 1, "heads": 2}}
FROM_TUNED = {**TINY, "encoder": {"dtype": "float32", "model": "trained:tuned"}}
SUITE = {
    "name": "small",
    "collections": ["mine"],
    "first_stages": ["bm25", "both"],
    "systems": ["bm25", "bi", "tiny", "on_tuned"],
    "seeds": [1, 2],
    "untrained": ["tiny"],
    "ablation": "tiny",
    "baseline": "bm25",
    "sensitivity": ["bi"],
    "measure": {"queries": 2, "warmup": 1},
    "define": {
        "collections": {"mine": {"kind": "beir", "path": "data"}},
        "first_stages": {
            "near": {"kind": "dense", "depth": 4,
                     "encoder": {"dtype": "float32", "model": "trained:tuned"}},
            "both": {"kind": "fusion", "of": ["bm25", "near"], "depth": 5},
        },
        "systems": {
            "bi": {"kind": "bi_encoder", "options": {"dtype": "float32"}},
            "tuned": {"kind": "bi_encoder", "options": {"dtype": "float32"},
                      "training": {"batch_queries": 2}, "seeds": [5]},
            "tiny": {"kind": "resrank", "options": TINY, "training": {}, "threads": 1},
            "on_tuned": {"kind": "resrank", "options": FROM_TUNED, "training": {}, "seeds": [1]},
        },
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project's sources with a small suite beside it."""
    folder = copy_project(tmp_path_factory.mktemp("project"), SUITE)
    write_beir(folder / "data")
    return folder


@pytest.fixture(scope="module")
def built(project) -> Path:
    done = snakemake(project, "all")
    assert done.returncode == 0, done.stdout + done.stderr
    return project


def test_everything_is_there(built):
    root = built / "results" / "small"
    table = pd.read_csv(root / "tables" / "comparison.csv")
    assert table["first_stage"].tolist() == ["bm25"] * 5 + ["both"] * 5
    assert table["system"].tolist() == ["bm25", "bi", "tiny", "tiny_untrained", "on_tuned"] * 2
    assert table["seeds"].tolist() == [1, 1, 2, 2, 1] * 2
    assert table["queries"].tolist() == [2] * 10
    for name in ("tables/comparison.md", "tables/comparison.tex", "tables/leak.md",
                 "figures/effectiveness_latency.png", "figures/effectiveness_tokens.svg",
                 "figures/training_curves.png", "figures/scores.svg", "figures/sensitivity.png",
                 "tables/effectiveness.tex", "tables/modes.md", "figures/significance.png",
                 "tables/scores.csv", "report/index.html"):  # fmt: skip
        assert (root / name).stat().st_size > 0
    pairs = pd.read_csv(root / "tables" / "significance.csv")
    families = ["comparison"] * 3 + ["gain over untrained"] + ["ablation"] * 4
    assert pairs["family"].tolist() == families * 2
    assert (pairs["p_holm"] == 1).all()  # nothing is significant over two queries
    moved = pd.read_csv(root / "tables" / "sensitivity.csv")
    assert (
        moved["kind"].tolist() == ["batch sizes", "number formats", "candidate orders", "seeds"] * 2
    )
    ablation = pd.read_csv(root / "tables" / "ablation.csv")
    tiny = ablation[ablation["label"] == "tiny"]
    assert (tiny["difference"] == 0).all()
    assert ablation["encoder alone"].notna().tolist() == [False, False, True, True, True] * 2
    bi = table.loc[table["system"] == "bi", "nDCG@10"].tolist()
    assert tiny["encoder alone"].tolist() == pytest.approx(bi)  # tiny's encoder is that very one
    audits = json.loads((root / "audits" / "mine" / "bm25.json").read_text())
    leak = next(s["leak"] for s in audits["systems"] if s["system"] == "tiny")
    assert leak["overlap"] == pytest.approx(1 / 3)  # p5 of p1, p5, p4
    untrained = next(s["leak"] for s in audits["systems"] if s["system"] == "bm25")
    assert untrained["queries_without_overlap"] == leak["queries_without_overlap"]
    assert untrained["trained_on"].startswith("nothing (held against")
    for ranked in read_run(root / "runs/mine/bm25/tiny/seed1.trec").values():
        scores = [score for _, score in ranked]
        assert all(a > b for a, b in zip(scores[:-1], scores[1:], strict=True))


def test_a_trained_system_is_compared_with_its_untrained_self(built):
    root = built / "results" / "small"
    table = pd.read_csv(root / "tables" / "comparison.csv").set_index(["first_stage", "system"])
    for stage in ("bm25", "both"):
        trained, untrained = (table.loc[(stage, f"tiny{e}")] for e in ("", "_untrained"))
        assert trained["gain"] == pytest.approx(trained["nDCG@10"] - untrained["nDCG@10"], abs=1e-6)
        assert untrained["label"] == "tiny, untrained (random weights)"
        assert pd.isna(untrained["p50_ms_online"])
        assert trained["p50_ms_online"] > 0
    assert table["gain"].notna().sum() == 2
    runs = [read_run(root / f"runs/mine/bm25/tiny_untrained/seed{n}.trec") for n in (1, 2)]
    manifests = [root / f"runs/mine/bm25/tiny_untrained/seed{n}.manifest.json" for n in (1, 2)]
    assert [json.loads(path.read_text())["seed"] for path in manifests] == [1, 2]
    assert all(run.keys() == {"q1", "q2"} for run in runs)
    assert not (root / "efficiency/mine/bm25/tiny_untrained.json").exists()
    for name in ("efficiency", "tokens"):
        assert "untrained (" not in (root / "tables" / f"{name}.csv").read_text()
    for name in ("ablation", "ablation_by_label", "modes"):
        assert "tiny, untrained (random weights)" in (root / "tables" / f"{name}.md").read_text()
    assert "gain over untrained" in (root / "tables" / "ablation.md").read_text()
    assert "tiny_untrained" not in (root / "report.manifest.json").read_text()


def test_what_snakemakes_report_shows_has_captions(built):
    done = snakemake(built, "--report", "report.zip")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(built / "report.zip") as archive:
        displayed = {Path(name).name for name in archive.namelist()}
    root = built / "results" / "small"
    made = {path.name for path in [*root.glob("tables/*.csv"), *root.glob("figures/*.svg")]}
    assert {"efficiency.csv", "leak.csv", "modes.csv", "training_curves.svg"} <= made
    assert made <= displayed


def test_a_second_run_does_nothing(built):
    assert "Nothing to be done" in (snakemake(built, "all").stderr)


def test_a_person_can_type_a_rules_job_and_gets_its_bytes(built):
    """With the user's own suite file, or the one that the workflow wrote.

    The former in a new process, as a person starts it; the latter in a fork.
    """
    words = ("--collection", "mine", "--first-stage", "bm25", "--system", "tiny", "--seed", "2")
    run = built / "results/small/runs/mine/bm25/tiny/seed2.trec"
    before = run.read_bytes()
    dated = {path: path.stat().st_mtime for path in run.parent.glob("seed2.*")}
    for python, suite in ((sys.executable, "suite.yaml"), ("python", "results/small/suite.yaml")):
        run.unlink()
        job = [python, "-m", "resrank", "job", "rerank", "--suite", suite, *words]
        done = subprocess.run(
            job, cwd=built, env=with_forks(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert run.read_bytes() == before
    for path, date in dated.items():
        os.utime(path, (date, date))


def test_a_source_that_is_only_dated_anew_reruns_nothing(built):
    """As after a clone: what a source holds counts, see `sources` in common.smk."""
    for source in [*built.glob("resrank/**/*.py"), *built.glob("baselines/**/*.py")]:
        source.touch()
    assert "Nothing to be done" in snakemake(built, "-n", "all").stdout


def planned(message: str) -> dict[str, int]:
    """Jobs of a dry run by rule, from Snakemake's own table."""
    rows = re.findall(r"^(\w+) +(\d+)$", message, re.MULTILINE)
    return {rule: int(count) for rule, count in rows}


def test_editing_a_system_reruns_it_and_what_depends_on_it_alone(built):
    def edit(name):
        source = built / "baselines" / name
        source.write_text(source.read_text() + "\n# edited\n")
        return snakemake(built, "-n", "all").stdout

    message = edit("first_stage.py")
    assert re.search("now: 'sources of bm25: [0-9a-f]{16}'", message)
    jobs = planned(message)
    assert jobs == {
        "rerank": 2, "measure": 2, "score": 2, "significance": 2, "report": 1, "page": 1, "all": 1,
        "total": 11,
    }  # fmt: skip
    # A first stage and a reranker stand on a bi-encoder that is trained: its lists are made anew,
    # those of BM25 and the collection are not.
    jobs = planned(edit("bi_encoder.py"))
    assert jobs["candidates"] == 2
    assert "collect" not in jobs


def test_two_runs_and_a_killed_one_agree(built):
    """Runs and scores; tables of a run that was killed are compared in faults/test_kills.py."""
    results = built / "results" / "small"
    scores = [f"results/small/scores/mine/{stage}.parquet" for stage in ("bm25", "both")]
    first = {name: data for name, data in contents(results).items() if "tables/" not in name}
    assert sum(name.endswith(".trec") for name in first) == 24  # ten by ResRank's own encoder
    assert sum(name.endswith(".parquet") for name in first) == 2
    shutil.rmtree(built / "results")
    shutil.rmtree(built / ".snakemake")
    process = subprocess.Popen(
        command(*scores), cwd=built, env=with_forks(hash_seed=2), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    first_model = built / "results/small/models/tiny/seed1.manifest.json"
    while not first_model.is_file():
        assert process.poll() is None, "the run ended before it was killed"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    snakemake(built, "--unlock")
    done = snakemake(built, "--rerun-incomplete", *scores, hash_seed=2)
    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(results) == first


def test_a_wrong_suite_stops_before_anything_runs(project):
    (project / "wrong.yaml").write_text(yaml.safe_dump(SUITE | {"systems": ["bm52"]}))
    done = snakemake(project, "-n", "all", suite="wrong.yaml")
    assert done.returncode != 0
    assert "wrong.yaml: unknown system 'bm52'; known: " in done.stdout + done.stderr
    assert "common.smk" not in done.stdout + done.stderr
