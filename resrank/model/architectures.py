"""The shape of a transformer as its Hugging Face config states it: no weights, no torch.

`config/architectures.yaml` holds the configs of published models, each with its source.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator

from resrank.options import Strict

FILE = Path(__file__).resolve().parent.parent.parent / "config" / "architectures.yaml"


@dataclass(frozen=True)
class Stack:
    """Layers of one shape: attention with grouped keys and values, then a feed-forward net.

    gated: three matrices (SwiGLU, gated GELU) in place of two. cross: a second attention, of as
    many heads, over an encoder's states. small: biases and norms of a layer.
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
        """Width of all heads together."""
        return self.heads * self.head_dim

    @property
    def weights(self) -> int:
        """Of a layer's matrices that every position goes through; of cross-attention, half."""
        own = 2 * self.hidden * self.head_dim * (self.heads + self.kv_heads)
        cross = 2 * self.hidden * self.inner if self.cross else 0
        return own + cross + (3 if self.gated else 2) * self.hidden * self.intermediate

    @property
    def parameters(self) -> int:
        """Of all layers."""
        cross = 2 * self.hidden * self.inner if self.cross else 0
        return self.layers * (self.weights + cross + self.small)


@dataclass(frozen=True)
class Architecture:
    """One stack, or an encoder and a decoder.

    vocabulary: tokens; embeddings: parameters of all tables and what norms stand outside the
    layers; own_head: whether logits have a matrix of their own; pooler: whether a matrix (hidden,
    hidden) stands behind each sequence, as in BERT.
    """

    stack: Stack
    vocabulary: int
    embeddings: int
    decoder: Stack | None = None
    own_head: bool = False
    pooler: bool = False

    @property
    def parameters(self) -> int:
        """All of them, a tied head counted once."""
        hidden = self.stack.hidden
        head = hidden * self.vocabulary if self.own_head else 0
        pooler = hidden * (hidden + 1) if self.pooler else 0
        below = self.decoder.parameters if self.decoder else 0
        return self.stack.parameters + below + self.embeddings + head + pooler


class Published(Strict):
    """A published model's shape."""

    source: str = Field(description="Where its figures are from.")
    parameters: float | None = Field(None, gt=0, description="Of its published weights.")
    config: dict[str, Any] | None = Field(None, description="What shapes it in its config.json.")
    like: str | None = Field(None, description="The entry whose shape it has, in place of one.")

    @model_validator(mode="after")
    def _one_shape(self) -> Published:
        if (self.config is None) == (self.like is None):
            raise ValueError("give either `config` or `like`")
        return self


@cache
def published() -> dict[str, Published]:
    """The library's entries, by hub id."""
    entries = yaml.safe_load(FILE.read_text("utf-8"))["architectures"]
    return {name: Published.model_validate(entry) for name, entry in entries.items()}


def published_config(name: str) -> dict[str, Any] | None:
    """The config of a published model; None if it does not stand in the library."""
    entry = published().get(name)
    if entry is not None and entry.like is not None:
        return published_config(entry.like)
    return None if entry is None else entry.config


def config_of(name: str) -> dict[str, Any] | None:
    """The config of a model's folder or of a published model; None where neither is known."""
    if name.startswith(RANDOM):
        return random_config(name)
    file = Path(name) / "config.json"
    if file.is_file():
        found: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return found
    return published_config(name)


def architecture(config: Mapping[str, Any]) -> Architecture:
    """The shape that a config describes. ValueError on a model type that is not known here."""
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
    """Whether a decoder has a head for the vocabulary."""
    named = config.get("architectures") or [""]
    return str(named[0]).endswith("ForCausalLM")


FAMILIES: dict[str, Callable[[Mapping[str, Any]], Architecture]] = {
    "qwen3": _decoder, "qwen2": _decoder, "llama": _decoder, "mistral": _decoder, "bert": _bert,
    "t5": _t5,
}  # fmt: skip

RANDOM = "random:"
WIDTHS = ("intermediate_size", "d_ff", "vocab_size")
LAYERS = ("num_hidden_layers", "num_layers", "num_decoder_layers")
HEADS = (("hidden_size", "num_attention_heads"), ("d_model", "num_heads"))
SMALLEST_HEAD = 8


def random_config(name: str) -> dict[str, Any]:
    """The config behind `random:<hub id>` or `random:<hub id>@<n>`, divided by n.

    Raises ValueError on a name that is not in the library, or an n that is no number from 1 on.
    """
    model, _, by = name.removeprefix(RANDOM).partition("@")
    config = published_config(model)
    if config is None:
        raise ValueError(
            f"{name!r}: no shape of that name; known: {', '.join(sorted(published()))}; or add it "
            "to config/architectures.yaml"
        )
    if by and not (by.isdecimal() and int(by)):
        raise ValueError(f"{name!r}: behind '@' a number from 1 on is needed")
    return divided(config, int(by or 1))


def divided(config: Mapping[str, Any], by: int) -> dict[str, Any]:
    """A config of fewer layers and narrower ones, with as many heads."""
    small = dict(config)
    if by == 1:
        return small
    for key in (*WIDTHS, *LAYERS):
        if key in small:
            small[key] = max(1, small[key] // by)
    for width, heads in HEADS:
        if width in small:
            small[width] = small[heads] * max(SMALLEST_HEAD, small[width] // small[heads] // by)
    for key in ("head_dim", "d_kv"):
        if key in small:
            small[key] = max(SMALLEST_HEAD, small[key] // by)
    return small
