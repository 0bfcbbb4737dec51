"""Alignment: a stage whose teacher is the frozen encoder."""

import pytest
import torch
from pydantic import ValidationError

from baselines.e2rank.options import E2RankTraining
from baselines.pe_rank.options import PERankTraining
from resrank.model.resrank import ResRank
from resrank.records import TrainingExample
from resrank.reranker import TrainingData, TrainingJob
from resrank.resrank_reranker import ResRankSystem
from resrank.training.lists import TrainingList, usable
from resrank.training.options import ListTraining, ResRankTraining, TrainingStage
from resrank.training.resrank_losses import StageLosses
from tests.shapes import save_causal
from tests.training.test_training import examples, tiny

ALIGN = {"teacher": "encoder", "order": "shuffled", "batch_queries": 2}


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    return tiny(save_causal(tmp_path_factory.mktemp("tiny") / "encoder", "qwen3", ends=True))


@pytest.fixture(scope="module")
def model(options):
    return ResRank.from_options(options).eval()


def grades(model, item, **stage):
    """Return what a stage learns of an item whose passages have the cosines 0, 1, 0.8 and -1."""
    losses = StageLosses(
        model, ResRankTraining(), TrainingStage(**stage), [], TrainingJob("", "", seed=1)
    )
    slot, block = torch.tensor([1.0, 0.0]), torch.tensor([[0, 1], [2, 0], [4, 3], [-1, 0]]).float()
    return losses._grades(item, slot, block).tolist()


def test_the_encoder_orders_a_list_by_its_cosines(model):
    item = TrainingList("q", "query", ["a", "b", "c", "d"], [0, 0, 0, 1], frozenset())
    assert grades(model, item, teacher="encoder") == pytest.approx([0, 1, 0.8, -1])
    first = grades(model, item, teacher="encoder", labels="first")
    assert sorted(range(4), key=lambda i: -first[i]) == [3, 1, 2, 0]
    assert grades(model, item) == [0, 0, 0, 1]


def test_a_process_without_a_list_of_its_own_adds_no_loss(model):
    item = TrainingList("q", "query", ["a", "b", "c", "d"], [], frozenset())
    assert grades(model, item, teacher="encoder") == grades(model, item) == [0, 0, 0, 0]


def test_alignment_brings_the_decoder_to_the_encoders_order(options, tmp_path):
    """Queries without a single label are enough."""
    unlabelled = [TrainingExample(e.query, e.candidates, {}, []) for e in examples()]
    assert usable(unlabelled, TrainingStage()) == []
    requests = [(e.query, e.candidates) for e in unlabelled]
    rows = []
    stage = {**ALIGN, "epochs": 40, "learning_rate": 1e-3}
    ResRankSystem.train(
        options, ResRankTraining(stages=[stage]), TrainingData(unlabelled), tmp_path / "m",
        TrainingJob(tmp_path / "store", tmp_path / "state", "key", rows.append, seed=1),
    )  # fmt: skip
    losses = [row["ranking"] for row in rows]
    assert sum(losses[-4:]) < 0.7 * sum(losses[:4])
    assert {"common_passages", "common_closing"} <= rows[0].keys()
    system = ResRankSystem.load(options, tmp_path / "m")
    by_encoder = [ranking.passage_ids for ranking in system.by_encoder(requests)]
    trained = [ranking.passage_ids for ranking in system.rerank_many(requests)]
    untrained = [r.passage_ids for r in ResRankSystem.start(options, 1).rerank_many(requests)]
    agree = [sum(map(tuple.__eq__, by_encoder, other)) for other in (trained, untrained)]
    assert agree[0] > agree[1]


def test_random_negatives_and_pseudo_queries_go_with_the_encoder_as_teacher():
    stage = TrainingStage(**ALIGN, negatives="sampled", queries="own_text", max_queries=5)
    training = ResRankTraining(stages=[stage])
    assert training.teachers == ()
    assert training.files == []
    assert not training.needs_labels


def test_a_query_with_one_candidate_has_no_order_to_learn():
    short = [TrainingExample(e.query, e.candidates[:1], {}, []) for e in examples()]
    assert usable(short, TrainingStage(**ALIGN)) == []


def test_an_encoder_cannot_learn_from_itself():
    with pytest.raises(ValidationError, match="leave `train_encoder` out"):
        TrainingStage(**ALIGN, train_encoder=True)


@pytest.mark.parametrize("kind", [ListTraining, PERankTraining, E2RankTraining])
def test_other_kinds_refuse_it_and_still_take_a_file_of_that_name(kind):
    with pytest.raises(ValidationError, match=r"is for a stage of the kind `resrank`.*./encoder"):
        kind(teacher="encoder")
    assert [str(path) for path in kind(teacher="./encoder").rankings] == ["encoder"]
