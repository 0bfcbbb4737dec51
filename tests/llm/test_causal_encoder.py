"""A causal encoder: its weights, causal attention, and equality in any batch and after saving."""

import pytest
import torch
from transformers import AutoModel

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.interface import Message
from baselines.llm.options import TransformersOptions
from resrank.model.hub import locate
from tests.shapes import save_causal

NAME = "sentence-transformers/all-MiniLM-L6-v2"
PROMPTS = [
    (Message("user", "Sort an array."),),
    (Message("user", "Return the sorted copy of an array of numbers, in place or not."),),
]


def options(model, **more):
    return TransformersOptions(kind="transformers", model=model, dtype="float32", **more)


@pytest.fixture(scope="module")
def model():
    return TransformersModel(options({"encoder": NAME}), seed=3)


def test_the_model_starts_with_the_encoders_weights(model):
    encoder = AutoModel.from_pretrained(locate(NAME)).state_dict()
    weights = model.model.bert.state_dict()
    assert weights.keys() == {name for name in encoder if not name.startswith("pooler")}
    assert all(torch.equal(weights[name], encoder[name]) for name in weights)
    assert model.model.cls.predictions.decoder.weight is model.model.get_input_embeddings().weight


def test_only_the_first_layers_are_kept():
    encoder = AutoModel.from_pretrained(locate(NAME)).state_dict()
    made = TransformersModel(options({"encoder": NAME, "layers": 2})).model.bert
    assert len(made.encoder.layer) == 2
    assert all(torch.equal(value, encoder[name]) for name, value in made.state_dict().items())


def test_attention_is_causal(model):
    (ids,) = model.tokenize(PROMPTS[1:])
    with torch.no_grad():
        whole = model.model(input_ids=torch.tensor([ids])).logits
        part = model.model(input_ids=torch.tensor([ids[:5]])).logits
    assert torch.allclose(whole[:, :5], part, atol=1e-4)


def test_batching_does_not_change_answers_and_logits(model):
    alone = TransformersModel(options({"encoder": NAME}, batch_tokens=1), seed=3)
    wanted = dict(alone.answers(PROMPTS, 6))
    for place, answer in model.answers(PROMPTS, 6):
        assert answer.text == wanted[place].text
    ids, tokens = model.tokenize(PROMPTS), list(range(1000, 1010))
    together, apart = model.first_logits(ids, tokens), alone.first_logits(ids, tokens)
    assert torch.allclose(together, apart, atol=1e-4)


def test_a_saved_model_loads_unchanged(model, tmp_path):
    model.model.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    again = TransformersModel(options(str(tmp_path)))
    assert again.ends == model.ends == {model.tokenizer.sep_token_id}
    ids = model.tokenize(PROMPTS)
    assert torch.equal(
        model.first_logits(ids, [1, 2]), again.first_logits(again.tokenize(PROMPTS), [1, 2])
    )


def test_the_seed_determines_the_new_head(model):
    def head(made):
        return made.model.cls.predictions.transform.dense.weight

    same = TransformersModel(options({"encoder": NAME}), seed=3)
    other = TransformersModel(options({"encoder": NAME}), seed=4)
    assert torch.equal(head(model), head(same))
    assert not torch.equal(head(model), head(other))


def test_an_encoder_that_is_no_bert_is_refused(tmp_path):
    folder = save_causal(tmp_path / "m", "qwen3")
    with pytest.raises(ValueError, match="has the type 'qwen3'; only a 'bert' can be made causal"):
        TransformersModel(options({"encoder": folder}))
    with pytest.raises(ValueError, match="layers 7, but .* has 6; set at most these"):
        TransformersModel(options({"encoder": NAME, "layers": 7}))
    with pytest.raises(ValueError, match="unknown key layer; known: encoder, layers"):
        options({"encoder": NAME, "layer": 1})
