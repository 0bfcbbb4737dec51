"""The first layers of a pretrained model, wherever a decoder is named."""

import json

import pytest
import torch
from transformers import AutoModel, AutoModelForCausalLM

from baselines.llm.backends.transformers import TransformersModel
from baselines.llm.interface import Message
from baselines.llm.options import TransformersOptions
from baselines.pe_rank.model import PERankModel
from baselines.pe_rank.options import PERankOptions
from resrank.efficiency.costs import Costs, is_random, shape_of
from resrank.io.yaml import ConfigError
from resrank.model.encoder import Encoder
from resrank.model.options import EncoderOptions, ResRankOptions
from resrank.model.resrank import ResRank
from resrank.records import Usage
from resrank.reranker_entry import RerankerEntry
from resrank.suite.load import load_suite
from resrank.work import FirstLayers, model_name
from tests.shapes import save_causal, save_t5

USAGE = Usage(prompt_tokens=100, model_calls=1, generated_tokens=10)
PROMPT = (Message("user", "Sort an array."),)


@pytest.fixture(scope="module", params=["qwen3", "llama"])
def folder(request, tmp_path_factory):
    return save_causal(tmp_path_factory.mktemp("models") / request.param, request.param)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return save_causal(tmp_path_factory.mktemp("models") / "qwen", "qwen3")


def count(model) -> int:
    return sum(weight.numel() for weight in model.parameters())


def options(model, **more) -> TransformersOptions:
    return TransformersOptions(kind="transformers", model=model, dtype="float32", **more)


def test_a_language_model_keeps_its_first_layers(folder):
    """Its logits are those of the whole model's first hidden state under the final norm."""
    whole = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, trust_remote_code=False
    )
    part = TransformersModel(options(folder, layers=1))
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        states = []
        hook = whole.model.layers[0].register_forward_hook(lambda _m, _i, out: states.append(out))
        whole(ids)
        hook.remove()
        wanted = whole.lm_head(whole.model.norm(states[0]))
        assert torch.allclose(part.model(ids).logits, wanted, atol=1e-5)
    assert part.identity["layers"] == 1
    assert "layers" not in TransformersModel(options(folder)).identity


def test_flops_and_parameters_follow(folder):
    part, whole = options(folder, layers=1), options(folder)
    counted = shape_of(part.named, {})
    assert counted.parameters == count(TransformersModel(part).model)
    assert counted.parameters < shape_of(whole.named, {}).parameters
    entry = {"kind": "rankgpt", "options": {"llm": part.model_dump()}}
    less = Costs(RerankerEntry.model_validate(entry), {}).of(USAGE, 20)
    entry["options"] = {"llm": whole.model_dump()}
    assert less.online < Costs(RerankerEntry.model_validate(entry), {}).of(USAGE, 20).online


def test_a_saved_part_loads_with_the_same_options(folder, tmp_path):
    part = TransformersModel(options(folder, layers=1))
    part.model.save_pretrained(tmp_path)
    part.tokenizer.save_pretrained(tmp_path)
    again = TransformersModel(part.options.trained(tmp_path))
    ids = part.tokenize([PROMPT])
    wanted = part.first_logits(ids, [5, 6])
    assert torch.allclose(again.first_logits(ids, [5, 6]), wanted, atol=1e-6)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["num_hidden_layers"] == 1


def test_an_encoder_keeps_its_first_layers(qwen):
    whole = AutoModel.from_pretrained(qwen, dtype=torch.float32, trust_remote_code=False)
    part = Encoder.from_options(
        EncoderOptions(model=qwen, layers=1, pooling="last", dtype="float32")
    )
    assert len(part.model.layers) == 1
    weights = whole.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in part.model.state_dict().items())


def test_resrank_keeps_its_rerankers_first_layers_when_saved(qwen, tmp_path):
    chosen = ResRankOptions(
        encoder=EncoderOptions(model=qwen, pooling="last", layers=1),
        reranker=qwen,
        reranker_layers=1,
    )
    model = ResRank.from_options(chosen)
    assert len(model.reranker.model.layers) == len(model.encoder.model.layers) == 1
    model.save_pretrained(tmp_path / "saved")
    again = ResRank.from_pretrained(tmp_path / "saved")
    passages = ["Sort an array.", "Draw a line."]
    assert again.rerank("sort", passages) == model.rerank("sort", passages)


def test_pe_rank_keeps_its_rerankers_first_layers_when_saved(qwen, tmp_path):
    chosen = PERankOptions(
        encoder=EncoderOptions(model=qwen, pooling="last"), reranker=qwen, reranker_layers=1
    )
    model = PERankModel.from_options(chosen).eval()
    assert len(model.decoder.model.layers) == 1
    model.save_pretrained(tmp_path / "saved", {})
    again = PERankModel.from_pretrained(tmp_path / "saved", chosen)
    assert len(again.decoder.model.layers) == 1


def test_too_many_layers_are_refused_with_the_number_there_are(qwen, tmp_path):
    message = r"layers 3, but .* has 2; set at most these"
    with pytest.raises(ValueError, match=message):
        TransformersModel(options(qwen, layers=3))
    with pytest.raises(ValueError, match=message):
        Encoder.from_options(EncoderOptions(model=qwen, layers=3, pooling="last"))
    t5 = save_t5(tmp_path / "t5")
    with pytest.raises(ValueError, match=r"has an encoder and a decoder; only models of one stack"):
        TransformersModel(options(t5, layers=1))
    llm = {"kind": "transformers", "model": qwen, "layers": 3}
    judge = {"kind": "rankgpt", "options": {"llm": llm}}
    suite = {"name": "s", "collections": ["docstrings"], "systems": ["bm25", "judge"]}
    with pytest.raises(ConfigError, match=f"system 'judge': {message}"):
        load_suite(suite | {"define": {"systems": {"judge": judge}}})
    encoder = {"model": qwen, "layers": 3}
    judge = {"kind": "bi_encoder", "options": encoder}
    with pytest.raises(ConfigError, match=f"system 'judge': {message}"):
        load_suite(suite | {"define": {"systems": {"judge": judge}}})
    dense = {"first_stages": {"d": {"kind": "dense", "encoder": encoder}}}
    with pytest.raises(ConfigError, match=f"first stage 'd': {message}"):
        load_suite(suite | {"systems": ["bm25"], "first_stages": ["d"], "define": dense})


def test_layers_beside_a_shape_are_refused():
    with pytest.raises(ValueError, match="set its own `layers`"):
        ResRankOptions(reranker_layers=1)
    with pytest.raises(ValueError, match="set `layers` in `model`"):
        options({"encoder": "sentence-transformers/all-MiniLM-L6-v2"}, layers=2)


def test_a_part_of_a_random_model_is_random():
    llm = {"kind": "transformers", "model": "random:Qwen/Qwen3-4B@64", "layers": 1}
    entry = RerankerEntry.model_validate({"kind": "rankgpt", "options": {"llm": llm}})
    assert is_random(entry)
    assert model_name(FirstLayers("m", 2)) == "m"
