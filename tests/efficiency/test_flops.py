"""The analytic count against torch's counter and against published figures."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM

from resrank.efficiency.flops import Work, flops
from resrank.model.architectures import published, published_config
from resrank.model.shapes import architecture

TINY = {
    "vocab_size": 300, "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 3,
    "num_attention_heads": 4, "max_position_embeddings": 512, "pad_token_id": None,
}  # fmt: skip
DECODERS = {
    "qwen3": {"num_key_value_heads": 2, "head_dim": 24, "tie_word_embeddings": True},
    "qwen2": {"num_key_value_heads": 1, "tie_word_embeddings": False},
    "llama": {"num_key_value_heads": 4, "tie_word_embeddings": False},
    "mistral": {"num_key_value_heads": 2, "sliding_window": None, "tie_word_embeddings": False},
}
T5 = {
    "vocab_size": 300, "d_model": 64, "d_kv": 24, "num_heads": 4, "d_ff": 176, "num_layers": 3,
    "num_decoder_layers": 2, "decoder_start_token_id": 0,
}  # fmt: skip


def counted(function):
    """FLOPs that torch counts; its counter knows no fused attention on the processor."""
    counter = FlopCounterMode(display=False)
    with counter, torch.inference_mode(), sdpa_kernel(SDPBackend.MATH):
        function()
    return counter.get_total_flops()


def made(auto, kind, shape, attention="eager"):
    config = AutoConfig.for_model(kind, **shape)
    config._attn_implementation = attention
    model = auto.from_config(config).eval()
    config.architectures = [type(model).__name__]
    return model, architecture(config.to_dict())


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", DECODERS)
def test_a_decoder_that_reads(kind, attention):
    model, shape = made(AutoModelForCausalLM, kind, TINY | DECODERS[kind], attention)
    ids = torch.ones(3, 70, dtype=torch.long)
    last = counted(lambda: model(ids, logits_to_keep=1))
    assert flops(shape, Work(3, 210, logits=3)) == pytest.approx(last, rel=0.02)
    every = counted(lambda: model(ids))
    assert flops(shape, Work(3, 210, logits=210)) == pytest.approx(every, rel=0.02)
    assert every > 1.05 * last


@pytest.mark.parametrize("kind", DECODERS)
def test_a_decoder_that_writes_over_its_cache(kind):
    model, shape = made(AutoModelForCausalLM, kind, TINY | DECODERS[kind], "sdpa")
    ids = torch.ones(2, 40, dtype=torch.long)

    def write():
        model.generate(ids, max_new_tokens=25, min_new_tokens=25, do_sample=False, pad_token_id=0)

    work = Work(2, 80, steps=2 * 24, logits=2 * 25)
    assert flops(shape, work) == pytest.approx(counted(write), rel=0.02)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_an_encoder(attention):
    model, shape = made(AutoModel, "bert", TINY | {"type_vocab_size": 2}, attention)
    ids = torch.ones(4, 50, dtype=torch.long)
    assert flops(shape, Work(4, 200)) == pytest.approx(counted(lambda: model(ids)), rel=0.02)


@pytest.mark.parametrize("gated", ["relu", "gated-gelu"])
def test_an_encoder_with_a_decoder(gated):
    model, shape = made(AutoModelForSeq2SeqLM, "t5", T5 | {"feed_forward_proj": gated})
    ids, start = torch.ones(2, 45, dtype=torch.long), torch.zeros(2, 1, dtype=torch.long)
    one = counted(lambda: model(input_ids=ids, decoder_input_ids=start))
    assert flops(shape, Work(2, 90, logits=2)) == pytest.approx(one, rel=0.02)
    ten = counted(lambda: model.generate(ids, max_new_tokens=10, min_new_tokens=10))
    assert flops(shape, Work(2, 90, steps=18, logits=20)) == pytest.approx(ten, rel=0.02)


@pytest.mark.parametrize("name", [n for n, entry in published().items() if entry.config])
def test_parameters_of_published_models(name):
    entry, config = published()[name], published_config(name)
    count = architecture(config).parameters
    assert count == pytest.approx(entry.parameters, rel=1e-4)
    auto = {"ForCausalLM": AutoModelForCausalLM, "Generation": AutoModelForSeq2SeqLM}
    kind = next(
        (m for end, m in auto.items() if config["architectures"][0].endswith(end)), AutoModel
    )
    with torch.device("meta"):
        shape = {key: value for key, value in config.items() if key != "model_type"}
        model = kind.from_config(AutoConfig.for_model(config["model_type"], **shape))
    model.tie_weights()
    assert count == sum(p.numel() for p in model.parameters())


def test_grouped_queries_and_gates_are_worked_out_by_hand():
    """Qwen3-4B: 36 layers of 2560 x 4096 (q, o), 2560 x 1024 (k, v) and 3 x 2560 x 9728."""
    shape = architecture(published_config("Qwen/Qwen3-4B"))
    weights = 36 * (2 * 2560 * 4096 + 2 * 2560 * 1024 + 3 * 2560 * 9728)
    attention = 36 * 4 * 4096 * 100 * 100
    assert flops(shape, Work(1, 100)) == 2 * 100 * weights + attention
    assert flops(shape, Work(0, 0)) == 0
    head = flops(shape, Work(1, 100, logits=1)) - flops(shape, Work(1, 100))
    assert head == 2 * 2560 * 151936


def test_every_entry_has_a_shape_and_an_unknown_type_is_named():
    assert all(architecture(published_config(name)).parameters for name in published())
    with pytest.raises(ValueError, match=r"'gpt2'.*known: bert, llama.*qwen3, t5"):
        architecture({"model_type": "gpt2"})
