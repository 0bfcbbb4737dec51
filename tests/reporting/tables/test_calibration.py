"""Tables and figure of grades: by a full run with a user's judge, and by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from resrank.evaluation.calibration import Judged, measures
from resrank.reporting.figures.reliability import pooled
from resrank.reporting.tables.calibration import write_calibration
from resrank.suite.load import load_suite
from tests.conftest import write_beir
from tests.dag import copy_project, snakemake

JUDGE = '''
from baselines.first_stage import FirstStageOrder
from resrank.records import Usage
from resrank.ranking import ranked


class Judge(FirstStageOrder):
    """Judges every passage as relevant, and keeps the first stage's order."""

    grades = 3

    def rerank_many(self, requests):
        return [
            ranked(query, listed, range(len(listed), 0, -1), Usage(), [(0.1, 0.2, 0.7)] * len(listed))
            for query, listed in requests
        ]
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a suite of the first stage and a judge that has run completely."""
    entry = {"kind": "beir", "path": "data", "train": None, "grades_from": [1, 2]}
    suite = {
        "name": "graded", "collections": ["mine"], "systems": ["bm25", "judge"],
        "measure": {"queries": 1, "warmup": 0, "scenarios": ["SingleStream"]},
        "define": {"collections": {"mine": entry}, "systems": {"judge": {"kind": "judge:Judge"}}},
    }  # fmt: skip
    folder = copy_project(tmp_path_factory.mktemp("graded"), suite)
    (folder / "judge.py").write_text(JUDGE)
    write_beir(folder / "data")
    done = snakemake(folder, "all")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_suite_with_a_judge_has_its_calibration(project):
    root = project / "results" / "graded"
    (row,) = pd.read_csv(root / "tables" / "calibration.csv").to_dict("records")
    # Three candidates have grades: p5 and p1 of q1 have 2 and 1, p4 of q2 has 1. All are judged 2.
    assert (row["system"], row["pairs"], row["grades"]) == ("judge", 3, "0 / 2 / 1")
    assert row["over_estimation"] == pytest.approx(2 / 3, abs=1e-5)
    assert row["mean_bias"] == pytest.approx(2 / 3, abs=1e-5)
    assert row["ece"] == pytest.approx(0.7 - 1 / 3, abs=1e-5)
    confusion = pd.read_csv(root / "tables" / "confusion.csv")
    assert confusion[["true", "as_0", "as_1", "as_2"]].to_numpy().tolist() == [
        [0, 0, 0, 0], [1, 0, 0, 2], [2, 0, 0, 1],
    ]  # fmt: skip
    for name in ("tables/calibration.md", "tables/confusion.tex", "figures/reliability.svg"):
        assert (root / name).stat().st_size > 100
    page = (root / "report" / "index.html").read_text()
    assert page.index("Audits") < page.index("expected calibration error")


def test_a_suite_without_a_judge_plans_no_calibration(project):
    (project / "plain.yaml").write_text(
        (project / "suite.yaml").read_text().replace("- judge\n", "").replace("graded", "plain")
    )
    planned = snakemake(project, "--dry-run", "all", suite="plain.yaml")
    assert planned.returncode == 0, planned.stderr
    assert "rule significance" in planned.stdout
    assert "rule calibration" not in planned.stdout
    assert "tables/calibration" not in planned.stdout


@pytest.fixture
def results(tmp_path):
    """Write the measures of one judge with two seeds into a suite's folder."""
    entry = {"kind": "beir", "path": str(write_beir(tmp_path / "b")), "grades_from": [1, 1]}
    suite = load_suite(
        {"name": "x", "collections": ["mine"], "systems": ["judge"], "define": {
            "collections": {"mine": entry}, "systems": {"judge": {"kind": "tests.test_grades:Judge"}}}}
    )  # fmt: skip
    sure, unsure = (0.0, 0.0, 1.0), (0.5, 0.1, 0.4)
    runs = [
        measures([Judged(np.array(true), np.array([sure, unsure]))]) for true in ([2, 0], [0, 2])
    ]
    path = tmp_path / "calibration" / "mine" / "bm25.json"
    path.parent.mkdir(parents=True)
    about = {"system": "judge", "not_judged": 4, "taken_for_0": 0}
    rows = [about | {"seed": seed} | run for seed, run in enumerate(runs, 1)]
    path.write_text(json.dumps({"judged_queries": 1, "systems": rows}))
    return suite, tmp_path


def test_the_table_by_hand_explains_missing_grades(results):
    suite, root = results
    write_calibration(suite, "Note. ", root)
    text = (root / "tables" / "calibration.md").read_text()
    (row,) = [[c.strip(" *") for c in line.split("|")[1:-1]] for line in text.splitlines()[2:3]]
    # One seed ranks its pair correctly, the other one wrongly.
    assert row == [
        "mine", "bm25", "judge", "0.2500 ± 0.3536", "0.0000 ± 0.0000", "0.00",
        "0.5000 ± 0.7071", "0.5000 ± 0.3536", "2", "2", "1 / 0 / 1", "0", "4",
    ]  # fmt: skip
    confused = pd.read_csv(root / "tables" / "confusion.csv")
    assert confused[["true", "as_0", "as_1", "as_2"]].to_numpy().tolist() == [
        [0, 1, 0, 1], [1, 0, 0, 0], [2, 1, 0, 1],
    ]  # fmt: skip
    assert (
        "Note. Means over seeds ± standard deviation, over pairs of a query and a judged passage"
        in text
    )
    assert "mine: no judged passage has grade 1; a predicted 1 is too high for grade 0" in text
    path = root / "calibration" / "mine" / "bm25.json"
    results = json.loads(path.read_text())
    for row in results["systems"]:
        row["true_grades"] = [0, 0, 2]
    path.write_text(json.dumps(results))
    write_calibration(suite, "", root)
    text = (root / "tables" / "calibration.md").read_text()
    assert "mine: every judged passage has one grade, so errors on one side" in text
    assert "no judged passage has grade 1" not in text


def test_the_figure_pools_the_pairs_of_all_seeds(results):
    suite, root = results
    paths = write_calibration(suite, "", root)
    assert {p.name for p in paths} >= {"reliability.svg", "reliability.png"}
    runs = json.loads((root / "calibration" / "mine" / "bm25.json").read_text())["systems"]
    pairs, confidence, correct = pooled(runs)
    assert pairs.tolist() == [2, 2]
    assert confidence.tolist() == [0.5, 1.0]
    assert correct.tolist() == [0.5, 0.5]
