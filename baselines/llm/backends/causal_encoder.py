"""An encoder's layers made causal: a small language model that begins with words' meanings.

As in BERT-to-GPT warm starts (Rothe et al., TACL 2020, "Leveraging Pre-trained Checkpoints for
Sequence Generation Tasks"): each position sees those before it alone, and the masked-language head,
new but for its matrix, which is the token embeddings, predicts the next token.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoTokenizer, BertLMHeadModel

from baselines.llm.backends.scratch import CHAT
from baselines.llm.options import CausalEncoder
from resrank.model.hub import locate


def causal_encoder(made_of: CausalEncoder, dtype: torch.dtype) -> tuple[nn.Module, Any]:
    """Model and tokenizer. ValueError if the encoder is not of BERT's form, or has fewer layers."""
    name = made_of.encoder
    folder = locate(name)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if config.model_type != "bert":
        raise ValueError(
            f"encoder {name} is of the type {config.model_type!r}; the layers of a 'bert' can be "
            "made causal (sentence-transformers/all-MiniLM-L6-v2, say)"
        )
    layers = made_of.layers or config.num_hidden_layers
    if layers > config.num_hidden_layers:
        raise ValueError(
            f"layers {layers}, but {name} has {config.num_hidden_layers}; ask for at most these"
        )
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
