"""Tiny models of real architectures, saved as a hub would hold them, with a real BPE tokenizer."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from tests.conftest import PASSAGES, QUERIES

CAUSAL = {
    "qwen3": (Qwen3Config, Qwen3ForCausalLM, {"head_dim": 16}),
    "llama": (LlamaConfig, LlamaForCausalLM, {}),
    "mistral": (MistralConfig, MistralForCausalLM, {"sliding_window": None}),
}
END, CLOSE = "<|endoftext|>", "<|im_end|>"


def tokenizer(ends: bool) -> PreTrainedTokenizerFast:
    """Byte-level BPE; `ends`: texts get an end token behind them, as Qwen3-Embedding's do."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=[END, CLOSE], initial_alphabet=alphabet
    )
    bpe.train_from_iterator([*PASSAGES.values(), *QUERIES.values()], trainer)
    if ends:
        bpe.post_processor = processors.TemplateProcessing(
            single=f"$A {END}", special_tokens=[(END, bpe.token_to_id(END))]
        )
    made = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token=CLOSE, pad_token=END,
        chat_template="{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{% endfor %}"
                      "{% if add_generation_prompt %}<assistant>{% endif %}",
    )  # fmt: skip
    # one token each, as in published models
    made.add_tokens(["yes", "no", "▁true", "▁false", *(f" {letter}" for letter in "ABCD")])
    return made


def save_causal(folder: Path, kind: str, *, ends: bool = False, hidden: int = 64) -> str:
    """A causal language model of two layers with grouped-query attention."""
    torch.manual_seed(0)
    config, model, more = CAUSAL[kind]
    made = tokenizer(ends)
    shape = config(
        vocab_size=len(made), hidden_size=hidden, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=4096,
        pad_token_id=None, **more,
    )  # fmt: skip
    model(shape).save_pretrained(folder)
    made.save_pretrained(folder)
    return str(folder)


def save_bert(folder: Path) -> str:
    """A cross-encoder of one BERT layer."""
    torch.manual_seed(0)
    made = tokenizer(ends=False)
    shape = BertConfig(
        vocab_size=len(made), hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=2, pad_token_id=made.pad_token_id, num_labels=1,
    )  # fmt: skip
    BertForSequenceClassification(shape).save_pretrained(folder)
    made.save_pretrained(folder)
    return str(folder)


def save_t5(folder: Path) -> str:
    """A two-layer T5, as monoT5 is one."""
    torch.manual_seed(0)
    made = tokenizer(ends=False)
    shape = T5Config(
        vocab_size=len(made), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
        decoder_start_token_id=made.pad_token_id, pad_token_id=made.pad_token_id,
        eos_token_id=made.eos_token_id,
    )  # fmt: skip
    T5ForConditionalGeneration(shape).save_pretrained(folder)
    made.save_pretrained(folder)
    return str(folder)
