"""Replace `trained:<system>` in options with that model's folder.

This lets a reranker use an encoder that another system's job has trained. A part of a model that
holds several is named behind a slash: `trained:resrank_joint/encoder`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resrank.options import texts_in

PREFIX = "trained:"


def used_models(options: Any) -> list[str]:
    """Return the systems whose trained models options use, sorted by name."""
    texts = (text for text in texts_in(options) if text.startswith(PREFIX))
    return sorted({text.removeprefix(PREFIX).partition("/")[0] for text in texts})


def substitute(options: Any, folder_of: Callable[[str], str], prefix: str = PREFIX) -> Any:
    """Return the options with each `trained:<system>` replaced by that model's folder.

    prefix: prefix of the names to replace.
    """
    if isinstance(options, str) and options.startswith(prefix):
        return folder_of(options.removeprefix(prefix))
    if isinstance(options, dict):
        return {name: substitute(value, folder_of, prefix) for name, value in options.items()}
    if isinstance(options, list):
        return [substitute(value, folder_of, prefix) for value in options]
    return options
