"""A saved model serves other collections than that of its training, each with its instruction."""

import pytest

from resrank.model.options import ResRankOptions, SavedOptions
from resrank.model.resrank import ResRank
from resrank.reranker import TrainingData, TrainingJob
from resrank.resrank_reranker import ResRankSystem, SavedResRank
from resrank.training.options import ResRankTraining
from tests.training.test_training import FROZEN, OPTIONS, examples

TEXT = "Do: {instruction}\nQuery:"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a model whose suite replaced the instruction by that of a collection."""
    folder = tmp_path_factory.mktemp("told")
    encoder = OPTIONS.encoder.model_copy(update={"query_instruction": "Do: Sort\nQuery:"})
    options = OPTIONS.model_copy(update={"encoder": encoder, "query_slot": True})
    texts = {"query_instruction": TEXT}
    job = TrainingJob(folder / "store", folder / "state", "key", seed=1, instructions=texts)
    stages = {"stages": [{**FROZEN, "epochs": 1}]}
    training = ResRankTraining.model_validate(stages)
    ResRankSystem.train(options, training, TrainingData(examples()), folder / "m", job)
    return folder / "m"


def served(model, **options):
    return SavedResRank.load(SavedOptions(model=str(model), **options)).model


def test_it_is_told_what_the_served_collection_asks(model):
    as_trained, elsewhere = served(model), served(model, instruction="Find the law")
    assert as_trained.encoder.options.query_instruction == "Do: Sort\nQuery:"
    assert elsewhere.encoder.options.query_instruction == "Do: Find the law\nQuery:"
    same = served(model, instruction="Sort")
    query, passages = "order of numbers", ["sorted copy", "histogram"]
    assert same.rerank(query, passages) == as_trained.rerank(query, passages)
    assert elsewhere.rerank(query, passages) != as_trained.rerank(query, passages)


def test_a_model_that_left_its_instruction_open_is_told_too(tmp_path):
    """As one that was trained on several collections."""
    encoder = OPTIONS.encoder.model_copy(update={"query_instruction": TEXT})
    options = OPTIONS.model_copy(update={"encoder": encoder, "instruction": "{instruction}: "})
    ResRank.from_options(ResRankOptions.model_validate(options.model_dump())).save_pretrained(
        tmp_path / "m", encoder_trained=False
    )
    told = served(tmp_path / "m", instruction="Find the law")
    assert told.encoder.options.query_instruction == "Do: Find the law\nQuery:"
    assert told.options.instruction == "Find the law: "
