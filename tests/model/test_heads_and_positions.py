"""Cross-encoders with heads of one, two and more labels, and inputs longer than the positions."""

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from baselines.cross_encoder.options import CrossEncoderOptions
from baselines.cross_encoder.reranker import CrossEncoder
from resrank.model.encoder import Encoder
from resrank.model.options import EncoderOptions
from resrank.records import Candidate, Passage, Query
from resrank.reranker import TrainingData, TrainingJob
from tests.shapes import tokenizer

SHAPES = {
    "bert": (BertConfig, BertForSequenceClassification),
    "roberta": (RobertaConfig, RobertaForSequenceClassification),
}
LONG = [Candidate(Passage("d0", "word " * 300), 2.0), Candidate(Passage("d1", "word"), 1.0)]


@pytest.fixture(scope="module")
def save(tmp_path_factory):
    """Save a tiny classifier of 64 positions and return its folder; the same one only once."""
    folders = {}

    def make(kind="bert", labels=1):
        if (kind, labels) not in folders:
            torch.manual_seed(0)
            made, (config, model) = tokenizer(ends=False), SHAPES[kind]
            rows = 64 if kind == "bert" else 64 + made.pad_token_id + 1
            shape = config(
                vocab_size=len(made), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
                num_attention_heads=2, max_position_embeddings=rows, num_labels=labels,
                pad_token_id=made.pad_token_id,
            )  # fmt: skip
            folder = tmp_path_factory.mktemp(kind) / f"labels{labels}"
            model(shape).save_pretrained(folder)
            made.save_pretrained(folder)
            folders[kind, labels] = folder
        return folders[kind, labels]

    return make


def options(folder, **more):
    return CrossEncoderOptions(model=str(folder), dtype="float32", **{"max_tokens": 64} | more)


@pytest.mark.parametrize("labels", [1, 2])
@pytest.mark.parametrize("kind", SHAPES)
def test_a_score_is_the_logit_or_the_log_odds_of_the_second_label(save, kind, labels):
    system = CrossEncoder.load(options(save(kind, labels)))
    ranking = system.rerank(Query("q", "sort"), LONG)
    scores = dict(zip(ranking.passage_ids, ranking.scores, strict=True))
    for candidate in LONG:
        ids = system.model.tokenizer(
            "sort", candidate.passage.text, truncation=True, max_length=64, return_tensors="pt"
        )
        with torch.inference_mode():
            logits = system.model.model(**ids).logits[0]
        odds = logits.softmax(0)
        wanted = logits[0] if labels == 1 else (odds[1] / odds[0]).log()
        assert scores[candidate.passage.id] == pytest.approx(float(wanted), abs=1e-5)


@pytest.mark.parametrize("labels", [3, 5])
def test_a_head_of_more_labels_is_refused(save, labels):
    with pytest.raises(
        ValueError, match=rf"its head has {labels} labels; a head of 1 \(a score\) or 2"
    ):
        CrossEncoder.load(options(save("bert", labels)))


def test_a_head_of_two_labels_is_not_trained(save, tmp_path):
    job = TrainingJob(tmp_path / "store", tmp_path / "checkpoints", seed=1)
    with pytest.raises(
        ValueError, match="its head has 2 labels; a head of 1 label, or a model without"
    ):
        CrossEncoder.train(
            options(save("bert", 2)), CrossEncoder.Training(), TrainingData([]), tmp_path / "m", job
        )


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("max_tokens", [65, 256])
def test_more_tokens_than_positions_are_refused(save, kind, max_tokens):
    message = f"max_tokens {max_tokens} is more than the 64 positions of .*; lower it"
    with pytest.raises(ValueError, match=message):
        CrossEncoder.load(options(save(kind), max_tokens=max_tokens))
    with pytest.raises(ValueError, match=message):
        Encoder.from_options(
            EncoderOptions(model=str(save(kind)), dtype="float32", max_tokens=max_tokens)
        )


@pytest.mark.parametrize("kind", SHAPES)
def test_as_many_tokens_as_positions_are_read(save, kind):
    system = CrossEncoder.load(options(save(kind)))
    assert system.rerank(Query("q", "sort"), LONG).usage.truncated_passages == 1
