"""An encoder with causal attention: a small language model that starts with trained weights.

As in BERT-to-GPT warm starts (Rothe et al., TACL 2020, "Leveraging Pre-trained Checkpoints for
Sequence Generation Tasks"): each position attends only to itself and to those before it. The
masked-language head predicts the next token; it is new, except for its matrix, which is the token
embeddings.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoTokenizer, BertLMHeadModel

from baselines.llm.backends.scratch import CHAT
from baselines.llm.options import CausalEncoder
from resrank.model.hub import locate
from resrank.model.layer_count import check_layers


def causal_encoder(made_of: CausalEncoder, dtype: torch.dtype) -> tuple[nn.Module, Any]:
    """Return model and tokenizer. ValueError if the encoder is no BERT, or has fewer layers."""
    name = made_of.encoder
    folder = locate(name)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if config.model_type != "bert":
        raise ValueError(
            f"encoder {name} has the type {config.model_type!r}; only a 'bert' can be made causal, "
            "such as sentence-transformers/all-MiniLM-L6-v2"
        )
    layers = made_of.layers or config.num_hidden_layers
    check_layers(name, layers, config.num_hidden_layers)
    config.num_hidden_layers = layers
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    tokenizer.eos_token = tokenizer.eos_token or tokenizer.sep_token
    tokenizer.chat_template = tokenizer.chat_template or CHAT
    config.is_decoder = True
    model = BertLMHeadModel.from_pretrained(
        folder, config=config, dtype=dtype, trust_remote_code=False
    )
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    return model, tokenizer
