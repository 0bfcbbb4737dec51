"""Hugging Face configs of published models, and of their copies with random weights.

`config/architectures.yaml` holds them, each with its source. Nothing here needs weights or torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator

from resrank.io.shipped_files import shipped
from resrank.model.model_files import is_model_file, model_file_config
from resrank.model.wheel_names import listed_wheels
from resrank.options import Strict


class Published(Strict):
    """The shape of a published model."""

    source: str = Field(description="Where its figures are from.")
    parameters: float | None = Field(None, gt=0, description="Of its published weights.")
    config: dict[str, Any] | None = Field(None, description="What shapes it in its config.json.")
    like: str | None = Field(None, description="The entry whose shape it has, in place of one.")
    tokenizer: str | None = Field(None, description="Its tokenizer, by name in tokenizers.yaml.")
    end_token: str | None = Field(None, description="What its tokenizer puts behind each text.")

    @model_validator(mode="after")
    def _one_shape(self) -> Published:
        if (self.config is None) == (self.like is None):
            raise ValueError("give either `config` or `like`")
        return self


@cache
def published() -> dict[str, Published]:
    """Return the library's entries, by hub id."""
    entries = yaml.safe_load(shipped("architectures.yaml").read_text("utf-8"))["architectures"]
    return {name: Published.model_validate(entry) for name, entry in entries.items()}


def published_config(name: str) -> dict[str, Any] | None:
    """Return the config of a published model; None if the library lacks it."""
    entry = published().get(name)
    if entry is not None and entry.like is not None:
        return published_config(entry.like)
    return None if entry is None else entry.config


def config_of(name: str) -> dict[str, Any] | None:
    """Return the config of a model's folder or of a published model, if there is one."""
    if name.startswith(RANDOM):
        return random_config(name)
    if is_model_file(name):
        listed = listed_wheels().get(name)
        return published_config(listed.shape) if listed else model_file_config(name)
    file = Path(name) / "config.json"
    if file.is_file():
        config: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return config
    return published_config(name)


RANDOM = "random:"
WIDTHS = ("intermediate_size", "d_ff")
LAYERS = ("num_hidden_layers", "num_layers", "num_decoder_layers")
HEADS = (("hidden_size", "num_attention_heads"), ("d_model", "num_heads"))
SMALLEST_HEAD = 8


def shape_name(name: str) -> str:
    """Return the hub id in `random:<hub id>` or `random:<hub id>@<n>`."""
    return name.removeprefix(RANDOM).partition("@")[0]


def random_config(name: str) -> dict[str, Any]:
    """Return the config of `random:<hub id>` or `random:<hub id>@<n>`, divided by n.

    Raises ValueError on a name that is not in the library, or if n is not a positive integer.
    """
    _, _, by = name.partition("@")
    config = published_config(shape_name(name))
    if config is None:
        raise ValueError(
            f"{name!r}: no shape of that name; known: {', '.join(sorted(published()))}; or add it "
            "to config/architectures.yaml"
        )
    if by and not (by.isdecimal() and int(by)):
        raise ValueError(f"{name!r}: behind '@' a number from 1 on is needed")
    return divided(config, int(by or 1))


def divided(config: Mapping[str, Any], by: int) -> dict[str, Any]:
    """Return a config with fewer and narrower layers, and as many heads and tokens."""
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
