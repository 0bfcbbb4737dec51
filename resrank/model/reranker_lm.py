"""The reranker LLM: a causal decoder that reads token embeddings and passage embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, Qwen3Config, Qwen3Model

from resrank.model.causal_encoder import causal_decoder
from resrank.model.device import pick_device, pick_dtype
from resrank.model.encoder import Encoder
from resrank.model.first_layers import first_layers_of
from resrank.model.hub import locate
from resrank.model.options import CausalEncoder, ScratchDecoder, TwoModels


class RerankerLM(nn.Module):
    """Any Hugging Face decoder without its vocabulary head, fed through `inputs_embeds`."""

    model: Any
    tokenizer: Any

    def __init__(self, model: nn.Module, tokenizer: Any) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer

    @classmethod
    def from_options(cls, options: TwoModels, encoder: Encoder) -> RerankerLM:
        """Load the named decoder, make an encoder causal, or make a shape with random weights."""
        device = pick_device(options.encoder.device)
        dtype = pick_dtype(options.reranker_dtype, device)
        if isinstance(options.reranker, ScratchDecoder):
            model = scratch(options.reranker, len(encoder.tokenizer))
            if options.reranker.token_embeddings == "encoder":
                borrow_tokens(model, encoder)
            return cls(model.to(dtype=dtype), encoder.tokenizer).to(device).eval()
        if isinstance(options.reranker, CausalEncoder):
            return cls(*causal_decoder(options.reranker, dtype)).to(device).eval()
        folder = locate(options.reranker, options.reranker_revision)
        model = load_decoder(folder, options.reranker, options.reranker_layers, dtype)
        check_causal(model, options.reranker)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return cls(model, tokenizer).to(device).eval()

    @property
    def width(self) -> int:
        """Return the hidden size."""
        return int(self.model.config.hidden_size)

    @property
    def positions(self) -> int:
        """Return the longest input that the decoder supports."""
        return int(self.model.config.max_position_embeddings)

    @property
    def closing_token(self) -> int:
        """Return the end-of-sequence token, whose hidden state represents the query."""
        token = self.tokenizer.eos_token_id
        return int(self.tokenizer.sep_token_id if token is None else token)

    def token_norm(self) -> float:
        """Return the mean length of the decoder's token embeddings."""
        weight = self.model.get_input_embeddings().weight.detach()
        return float(weight.float().norm(dim=-1).mean())

    def embed_tokens(self, ids: list[int]) -> Tensor:
        """Return the input embeddings of token ids, (length, width)."""
        table = self.model.get_input_embeddings()
        vectors: Tensor = table(torch.tensor(ids, dtype=torch.long, device=table.weight.device))
        return vectors

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """Return the hidden states of embeddings, (queries, length, width) both, under a mask."""
        positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
        hidden: Tensor = self.model(
            inputs_embeds=inputs, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state
        return hidden


def load_decoder(folder: Path, name: str, layers: int | None, dtype: torch.dtype) -> Any:
    """Load a decoder, or its first layers, without its vocabulary head.

    A causal BERT is loaded without its pooler, which is not read.
    """
    part = first_layers_of(folder, name, layers)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    if config.model_type == "bert":
        part["add_pooling_layer"] = False
    return AutoModel.from_pretrained(folder, dtype=dtype, trust_remote_code=False, **part)


@torch.inference_mode()
def check_causal(model: Any, name: str) -> None:
    """Raise ValueError if a model is not a causal decoder: if a token sees the next one."""
    message = f"{name} ({model.config.model_type}) is no causal decoder; name one, like Qwen3-4B"
    if model.config.is_encoder_decoder:
        raise ValueError(message)
    ids = torch.tensor([[1, 2], [1, 3]])
    first = model(input_ids=ids, use_cache=False).last_hidden_state[:, 0].float()
    if not torch.allclose(first[0], first[1], atol=1e-3):
        raise ValueError(message)


@torch.no_grad()
def borrow_tokens(decoder: Qwen3Model, encoder: Encoder) -> None:
    """Replace the decoder's token embeddings by the encoder's, scaled to unit variance.

    Raises ValueError if their shapes differ.
    """
    table = encoder.model.get_input_embeddings().weight.detach().float().cpu()
    target = decoder.get_input_embeddings().weight
    if table.shape != target.shape:
        raise ValueError(
            f"the encoder's token embeddings are {tuple(table.shape)}, the decoder's "
            f"{tuple(target.shape)}; set `hidden` to {table.shape[1]} or `token_embeddings: random`"
        )
    target.copy_(table / table.std())


def scratch(shape: ScratchDecoder, vocabulary: int) -> Qwen3Model:
    """Return a Qwen3-shaped decoder with random weights.

    Token embeddings have unit variance, like the states after the final norm, so that a residual of
    weight 1 has an effect. Output projections start small (see `output_scale`).
    """
    config = Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        head_dim=shape.hidden // shape.heads,
        max_position_embeddings=4096,
        pad_token_id=None,
    )
    model = Qwen3Model(config)
    with torch.no_grad():
        nn.init.normal_(model.get_input_embeddings().weight)
        for layer in model.layers:
            layer.self_attn.o_proj.weight.mul_(shape.output_scale)
            layer.mlp.down_proj.weight.mul_(shape.output_scale)
    return model
