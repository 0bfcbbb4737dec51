"""The shape of a transformer, from its Hugging Face config: layers, widths, parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Stack:
    """Layers of one shape: attention with grouped keys and values, then a feed-forward net.

    gated: three matrices (SwiGLU, gated GELU) instead of two. cross: a second attention with as
    many heads, over an encoder's states. small: biases and norms per layer.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    gated: bool
    cross: bool = False
    small: int = 0

    @property
    def inner(self) -> int:
        """Return the width of all heads together."""
        return self.heads * self.head_dim

    @property
    def weights(self) -> int:
        """Return the weights per layer that every position uses; of cross-attention, half."""
        attention = 2 * self.hidden * self.head_dim * (self.heads + self.kv_heads)
        cross = 2 * self.hidden * self.inner if self.cross else 0
        return attention + cross + (3 if self.gated else 2) * self.hidden * self.intermediate

    @property
    def parameters(self) -> int:
        """Return the parameters of all layers."""
        cross = 2 * self.hidden * self.inner if self.cross else 0
        return self.layers * (self.weights + cross + self.small)


@dataclass(frozen=True)
class Architecture:
    """One stack, or an encoder and a decoder.

    vocabulary: tokens. embeddings: parameters of all tables, and of norms outside the layers.
    own_head: whether the logits have a separate matrix. pooler: whether a matrix (hidden, hidden)
    follows each sequence, as in BERT.
    """

    stack: Stack
    vocabulary: int
    embeddings: int
    decoder: Stack | None = None
    own_head: bool = False
    pooler: bool = False

    @property
    def parameters(self) -> int:
        """Return all parameters; a tied head counts once."""
        hidden = self.stack.hidden
        head = hidden * self.vocabulary if self.own_head else 0
        pooler = hidden * (hidden + 1) if self.pooler else 0
        below = self.decoder.parameters if self.decoder else 0
        return self.stack.parameters + below + self.embeddings + head + pooler


def architecture(config: Mapping[str, Any]) -> Architecture:
    """Return the shape that a config describes. Raises ValueError on an unknown model type."""
    kind = str(config.get("model_type"))
    if kind not in FAMILIES:
        raise ValueError(
            f"model type {kind!r}: its shape is not known; known: {', '.join(sorted(FAMILIES))}"
        )
    return FAMILIES[kind](config)


def _decoder(config: Mapping[str, Any]) -> Architecture:
    """Qwen3, Qwen2, Llama, Mistral: grouped queries, SwiGLU, RMS norms; biases by family."""
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads") or heads
    head_dim = config.get("head_dim") or (128 if _is(config, "qwen3") else hidden // heads)
    small = 2 * hidden
    if _is(config, "qwen3"):
        small += 2 * head_dim  # norms of queries and keys
    if _is(config, "qwen2"):
        small += head_dim * (heads + 2 * kv_heads)  # biases
    stack = Stack(
        layers=config["num_hidden_layers"], hidden=hidden, heads=heads, kv_heads=kv_heads,
        head_dim=head_dim, intermediate=config["intermediate_size"], gated=True, small=small,
    )  # fmt: skip
    vocabulary = config["vocab_size"]
    return Architecture(
        stack, vocabulary, embeddings=vocabulary * hidden + hidden,
        own_head=_writes(config) and not config.get("tie_word_embeddings", False),
    )  # fmt: skip


def _bert(config: Mapping[str, Any]) -> Architecture:
    """BERT and MiniLM: full attention, two feed-forward matrices, biases everywhere."""
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    inner = config["intermediate_size"]
    stack = Stack(
        layers=config["num_hidden_layers"], hidden=hidden, heads=heads, kv_heads=heads,
        head_dim=hidden // heads, intermediate=inner, gated=False, small=9 * hidden + inner,
    )  # fmt: skip
    tables = (
        config["vocab_size"] + config["max_position_embeddings"] + config.get("type_vocab_size", 2)
    )
    return Architecture(stack, config["vocab_size"], tables * hidden + 2 * hidden, pooler=True)


def _t5(config: Mapping[str, Any]) -> Architecture:
    """T5: an encoder and a decoder that attends to it; relative positions, no biases."""
    hidden, heads = config["d_model"], config["num_heads"]
    gated = str(config.get("feed_forward_proj", "relu")).startswith("gated-")

    def stack(layers: int, cross: bool) -> Stack:
        return Stack(
            layers=layers, hidden=hidden, heads=heads, kv_heads=heads, head_dim=config["d_kv"],
            intermediate=config["d_ff"], gated=gated, cross=cross,
            small=(3 if cross else 2) * hidden,
        )  # fmt: skip

    places = 2 * config.get("relative_attention_num_buckets", 32) * heads
    return Architecture(
        stack(config["num_layers"], False), config["vocab_size"],
        config["vocab_size"] * hidden + places + 2 * hidden,
        decoder=stack(config.get("num_decoder_layers") or config["num_layers"], True),
        own_head=not config.get("tie_word_embeddings", True),
    )  # fmt: skip


def _is(config: Mapping[str, Any], kind: str) -> bool:
    return bool(config["model_type"] == kind)


def _writes(config: Mapping[str, Any]) -> bool:
    """Return whether a decoder has a head for the vocabulary."""
    named = config.get("architectures") or [""]
    return str(named[0]).endswith("ForCausalLM")


FAMILIES: dict[str, Callable[[Mapping[str, Any]], Architecture]] = {
    "qwen3": _decoder,
    "qwen2": _decoder,
    "llama": _decoder,
    "mistral": _decoder,
    "bert": _bert,
    "t5": _t5,
}
