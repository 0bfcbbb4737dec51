"""Calibration measures: by hand, against scikit-learn and scipy, and as properties."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import somersd
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, roc_auc_score

from resrank.candidates.freeze import freeze
from resrank.collections.beir import BeirCollection
from resrank.evaluation.calibration import (
    Judged,
    calibrate_runs,
    confusion,
    expected_calibration_error,
    measures,
    pair_order,
    reliability,
)
from resrank.io.collection import Collection
from resrank.io.grades import grades_of, read_grades, write_grades
from resrank.jobs.rerank import RerankJob, rerank
from resrank.records import Ranking, Usage
from resrank.suite.schema import System
from tests.conftest import write_beir
from tests.entries import parse_first_stage


def judged(*pairs):
    """Return one query's passages, best first: (true grade, probabilities)."""
    return Judged(np.array([t for t, _ in pairs]), np.array([p for _, p in pairs], float))


HAND = [
    # Predicted 2, 2, 0: correct, two too high, two too low.
    judged((2, (0.1, 0.1, 0.8)), (0, (0.1, 0.3, 0.6)), (2, (0.9, 0.1, 0.0))),
    # Predicted 1, 0 (of two equally probable, the lower): one too high, one too low.
    judged((0, (0.2, 0.7, 0.1)), (1, (0.5, 0.5, 0.0))),
]


def test_measures_by_hand():
    result = measures(HAND)
    assert (result["queries"], result["pairs"]) == (2, 5)
    assert result["true_grades"] == [2, 1, 2]
    assert result["over_estimation"] == pytest.approx(2 / 5)
    assert result["mean_bias"] == pytest.approx((0 + 2 - 2 + 1 - 1) / 5)
    # First query: 2 above 0; 0 above 2. Second: 0 above 1.
    assert (result["concordant"], result["discordant"]) == (1, 2)
    assert result["pnr"] == pytest.approx(1 / 2)
    assert result["npnr"] == pytest.approx(1 / 3)
    assert result["confusion"] == [[0, 1, 1], [1, 0, 0], [1, 0, 1]]
    # Bins of 0.5, 0.6, 0.7, 0.8 and 0.9: one pair each, correct only in the bin of 0.8.
    assert result["ece"] == pytest.approx((0.5 + 0.6 + 0.7 + 0.2 + 0.9) / 5)


def test_confidence_within_a_bin_is_averaged_before_it_is_compared():
    bins = reliability(np.array([0.82, 0.88, 1.0]), np.array([True, False, True]))
    assert [b["pairs"] for b in bins] == [2, 1]
    assert expected_calibration_error(bins) == pytest.approx(2 / 3 * (0.85 - 0.5))


def test_measures_without_pairs_are_none():
    nothing = measures([Judged(np.empty(0, int), np.empty((0, 3)))])
    names = ("over_estimation", "mean_bias", "pnr", "npnr", "ece")
    assert [nothing[name] for name in names] == [None] * 5
    assert (nothing["pairs"], nothing["queries"], nothing["reliability"]) == (0, 0, [])
    assert nothing["confusion"] == [[0, 0, 0]] * 3
    perfect = measures([judged((2, (0, 0, 1)), (0, (1, 0, 0)))])
    assert (perfect["pnr"], perfect["npnr"], perfect["ece"]) == (None, 1, 0)
    equal = measures([judged((1, (0, 1, 0)), (1, (0, 1, 0)))])
    assert (equal["pnr"], equal["npnr"], equal["over_estimation"]) == (None, None, 0)


Grades = st.lists(st.integers(0, 2), min_size=1, max_size=30).map(np.array)


@st.composite
def lists(draw):
    queries = []
    for true in draw(st.lists(Grades, min_size=1, max_size=4)):
        shape = (len(true), 3)
        raw = draw(arrays.arrays(float, shape, elements=st.floats(0.01, 1)))
        queries.append(Judged(true, raw / raw.sum(axis=1, keepdims=True)))
    return queries


@given(lists())
def test_properties_of_any_grades(queries):
    one = measures(queries)
    table = np.array(one["confusion"])
    pairs = one["pairs"]
    assert table.sum() == pairs == sum(b["pairs"] for b in one["reliability"])
    assert table.sum(axis=1).tolist() == one["true_grades"]
    assert one["over_estimation"] == pytest.approx(np.triu(table, 1).sum() / pairs)
    assert one["mean_bias"] == pytest.approx(
        sum(table[i, j] * (j - i) for i in range(3) for j in range(3)) / pairs
    )
    assert 0 <= one["ece"] <= 1
    correct = sum(b["correct"] for b in one["reliability"])
    assert correct == np.trace(table)
    # The overall gap between confidence and accuracy is at most the sum of the bins' gaps.
    confidence = sum(b["confidence"] for b in one["reliability"])
    assert abs(confidence - correct) / pairs <= one["ece"] + 1e-9
    assert measures(queries[::-1])["npnr"] == one["npnr"]
    reverse = measures([Judged(q.true[::-1], q.probabilities[::-1]) for q in queries])
    assert (reverse["concordant"], reverse["discordant"]) == (one["discordant"], one["concordant"])


@given(lists())
def test_confusion_and_bins_equal_scikit_learns(queries):
    true = np.concatenate([q.true for q in queries])
    p = np.concatenate([q.probabilities for q in queries])
    confidence, predicted = p.max(axis=1), p.argmax(axis=1)
    expected = confusion_matrix(true, predicted, labels=[0, 1, 2])
    assert confusion(true, predicted).tolist() == expected.tolist()
    bins = reliability(confidence, predicted == true)
    share, mean = calibration_curve(
        np.append(predicted == true, [True, False]), np.append(confidence, [0, 0]), n_bins=10
    )
    assert [b["correct"] / b["pairs"] for b in bins] == pytest.approx(share[1:])
    assert [b["confidence"] / b["pairs"] for b in bins] == pytest.approx(mean[1:])


@given(Grades)
def test_pair_order_equals_somers_d_and_for_two_grades_the_roc_area(true):
    concordant, discordant = pair_order(true)
    ranks = -np.arange(len(true))
    if len(set(true.tolist())) > 1:
        apart = concordant + discordant
        assert (concordant - discordant) / apart == pytest.approx(somersd(true, ranks).statistic)
        binary = pair_order((true > 0).astype(int))
        if binary.sum():
            assert binary[0] / binary.sum() == pytest.approx(roc_auc_score(true > 0, ranks))
    else:
        assert concordant == discordant == 0


@pytest.fixture(params=[False, True], ids=["sparse", "complete"])
def run(request, tmp_path):
    """Return a collection that judges one of q1's two candidates, its candidates and a run."""
    folder = write_beir(tmp_path / "b", qrels={"test": [("q1", "p1", 1), ("q2", "p4", 1)]})
    spec = BeirCollection(kind="beir", path=folder, grades_from=[1, 1], complete=request.param)
    spec.collect(tmp_path / "c")
    collection, candidates = Collection(tmp_path / "c"), tmp_path / "bm25.parquet"
    freeze(collection, parse_first_stage({"kind": "bm25"}), candidates)
    out = tmp_path / "runs" / "seed0.trec"
    judge = System(kind="tests.test_grades:Judge")
    rerank(
        RerankJob(
            name="judge",
            system=judge,
            collection=collection,
            candidates=candidates,
            store=tmp_path,
            out=out,
        )
    )
    return collection, candidates, out


def test_unjudged_pairs_are_left_out_and_counted(run, tmp_path):
    collection, candidates, path = run
    calibrate_runs(collection, candidates, {("judge", 0): path}, tmp_path / "calibration.json")
    (row,) = json.loads((tmp_path / "calibration.json").read_text())["systems"]
    graded = read_grades(grades_of(path))
    everything = sum(map(len, graded.values()))
    qrels = collection.qrels()
    judged_pairs = sum(p in qrels.get(q, {}) for q in graded for p in graded[q])
    assert everything > judged_pairs > 0
    if collection.complete:
        counts = (everything, 0, everything - judged_pairs)
    else:
        counts = (judged_pairs, everything - judged_pairs, 0)
    assert (row["pairs"], row["not_judged"], row["taken_for_0"]) == counts
    assert row["true_grades"][1] == 0  # binary judgments: 0 and 2


def test_a_run_without_three_grades_is_an_error(run, tmp_path):
    collection, candidates, path = run
    two = tmp_path / "two" / "seed0.trec"
    write_grades(grades_of(two), [Ranking("q1", ("p1",), (1.0,), Usage(), ((0.5, 0.5),))])
    with pytest.raises(ValueError, match=r"parquet holds 2 grades per passage; judgments have 3"):
        calibrate_runs(collection, candidates, {("judge", 0): two}, tmp_path / "x.json")
    grades_of(path).unlink()
    with pytest.raises(ValueError, match=r"seed0.trec has no grades beside it"):
        calibrate_runs(collection, candidates, {("judge", 0): path}, tmp_path / "x.json")
    assert not (tmp_path / "x.json").exists()
