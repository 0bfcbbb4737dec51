"""What a training log says of the decoder's states, and the rate of RankNet's factor."""

import warnings

import pytest

from resrank.model.options import ResRankOptions
from resrank.reranker import TrainingData, TrainingJob
from resrank.resrank_reranker import ResRankSystem
from resrank.training.options import ResRankTraining, TrainingStage
from tests.training.test_training import FROZEN, JOINT, OPTIONS, examples

MEASURES = {"residual_ratio", "common_passages", "common_closing", "scale"}


def trained(folder, stages, **changes):
    """Train on four queries; return the log's rows and the saved model."""
    rows = []
    options = ResRankOptions.model_validate(OPTIONS.model_dump() | changes)
    job = TrainingJob(folder / "store", folder / "state", "key", rows.append, seed=1)
    training = ResRankTraining.model_validate({"stages": stages})
    ResRankSystem.train(options, training, TrainingData(examples()), folder / "m", job)
    return rows, ResRankSystem.load(options, folder / "m").model


def test_each_step_that_ranks_has_the_measures(tmp_path):
    stages = [
        {**JOINT, "ranking_weight": 0, "epochs": 1},
        {**JOINT, "epochs": 1},
        {**FROZEN, "epochs": 1},
    ]
    rows, _ = trained(tmp_path, stages)
    by_phase = {row["phase"]: row for row in rows}
    assert not MEASURES & by_phase["stage 1"].keys()
    for row in (by_phase["stage 2"], by_phase["stage 3"]):
        assert row.keys() >= MEASURES
        assert row["residual_ratio"] == pytest.approx(1.0)
        assert 0 < row["common_passages"] <= 1
        assert 0 < row["common_closing"] <= 1
    assert rows[2]["scale"] == pytest.approx(20.0)


def test_a_residual_without_effect_is_warned_of_once(tmp_path):
    stage = {**FROZEN, "epochs": 2}
    with pytest.warns(UserWarning, match=r"the residual is 0\.\d+ times as long") as caught:
        rows, _ = trained(tmp_path, [stage], residual="as_fed", input_scale="unit")
    assert len([w for w in caught if "residual" in str(w.message)]) == 1
    assert all(0 < row["residual_ratio"] < 0.1 for row in rows)


def test_no_warning_without_a_residual_or_with_a_matched_one(tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="the residual")
        for name, residual in (("a", "none"), ("b", "norm_matched")):
            rows, _ = trained(tmp_path / name, [{**FROZEN, "epochs": 1}], residual=residual)
            assert rows[0]["residual_ratio"] == pytest.approx(float(residual != "none"))


def test_the_factor_on_cosines_has_a_rate_of_its_own(tmp_path):
    still = {**FROZEN, "epochs": 2, "scale_learning_rate": 0}
    moved = {**still, "scale_learning_rate": 0.1}
    (_, fixed), (_, learned) = (trained(tmp_path / n, [s]) for n, s in (("a", still), ("b", moved)))
    assert fixed.log_scale.exp().item() == pytest.approx(20)
    assert abs(learned.log_scale.exp().item() - 20) > 1


def test_lists_are_trained_in_the_order_they_are_served_in():
    assert TrainingStage().order == "first_stage"
