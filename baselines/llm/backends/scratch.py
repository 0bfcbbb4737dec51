"""A new causal language model, for short training runs without a pretrained one."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer, Qwen3ForCausalLM

from baselines.llm.options import ScratchLM
from resrank.model.hub import locate
from resrank.model.reranker_lm import scratch

CHAT = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"


def scratch_lm(shape: ScratchLM, dtype: torch.dtype) -> tuple[nn.Module, Any]:
    """Return model and tokenizer: random layers, tied token embeddings of another model.

    ValueError if the embeddings' width is not the shape's.
    """
    folder = locate(shape.vocabulary)
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    named = AutoModel.from_pretrained(folder, trust_remote_code=False)
    table = named.get_input_embeddings().weight.detach()
    if table.shape[1] != shape.hidden:
        raise ValueError(
            f"hidden {shape.hidden}, but the token embeddings of {shape.vocabulary} are "
            f"{table.shape[1]} wide; set `hidden` to that"
        )
    # An identifier is a single token, as in vocabularies that keep brackets together.
    tokenizer.add_tokens([f"[{number}]" for number in range(1, 1 + shape.IDENTIFIERS)])
    more = torch.randn(len(tokenizer) - len(table), shape.hidden) * table.std()
    table = torch.cat([table, more])
    tokenizer.eos_token = tokenizer.eos_token or tokenizer.sep_token
    tokenizer.chat_template = tokenizer.chat_template or CHAT
    decoder = scratch(shape, len(table))
    decoder.config.tie_word_embeddings = True
    decoder.config.eos_token_id = tokenizer.eos_token_id
    model = Qwen3ForCausalLM(decoder.config)
    model.model = decoder
    with torch.no_grad():
        decoder.get_input_embeddings().weight.copy_(table)
    model.tie_weights()
    return model.to(dtype=dtype), tokenizer
