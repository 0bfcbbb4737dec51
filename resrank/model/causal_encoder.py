"""An encoder with causal attention: a small decoder that starts with trained weights.

As in BERT-to-GPT warm starts (Rothe et al., TACL 2020, "Leveraging Pre-trained Checkpoints for
Sequence Generation Tasks"): each position attends only to itself and to those before it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoTokenizer, BertLMHeadModel, BertModel

from resrank.model.hub import locate
from resrank.model.layer_count import check_layers
from resrank.model.options import CausalEncoder


def causal_decoder(made_of: CausalEncoder, dtype: torch.dtype) -> tuple[nn.Module, Any]:
    """Return a decoder without a head, and its tokenizer; all of its weights are pretrained.

    Raises ValueError if the encoder is no BERT, or has fewer layers.
    """
    folder, config = _parts(made_of)
    model = BertModel.from_pretrained(
        folder, config=config, dtype=dtype, add_pooling_layer=False, trust_remote_code=False
    )
    return model, _tokenizer(folder)


def causal_language_model(made_of: CausalEncoder, dtype: torch.dtype) -> tuple[nn.Module, Any]:
    """Return a language model and its tokenizer.

    Its masked-language head predicts the next token. The head is new, except for its matrix, which
    is the token embeddings. Raises ValueError if the encoder is no BERT, or has fewer layers.
    """
    folder, config = _parts(made_of)
    model = BertLMHeadModel.from_pretrained(
        folder, config=config, dtype=dtype, trust_remote_code=False
    )
    tokenizer = _tokenizer(folder)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    return model, tokenizer


def _parts(made_of: CausalEncoder) -> tuple[Path, Any]:
    """Return the encoder's folder, and its config with causal attention and fewer layers."""
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
    config.is_decoder = True
    return folder, config


def _tokenizer(folder: Path) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    tokenizer.eos_token = tokenizer.eos_token or tokenizer.sep_token
    return tokenizer
