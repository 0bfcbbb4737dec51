"""Options that name a trained system of the suite, `trained:<system>`, for its model's folder.

So a reranker can stand on an encoder that another system's job has trained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PREFIX = "trained:"


def parts(options: Any) -> list[str]:
    """The systems that options name, in the order of their names."""
    if isinstance(options, str):
        return [options.removeprefix(PREFIX)] if options.startswith(PREFIX) else []
    if isinstance(options, dict):
        options = list(options.values())
    if isinstance(options, list):
        return sorted({name for value in options for name in parts(value)})
    return []


def substitute(options: Any, folder_of: Callable[[str], str]) -> Any:
    """The options with each `trained:<system>` replaced by its model's folder."""
    if isinstance(options, str) and options.startswith(PREFIX):
        return folder_of(options.removeprefix(PREFIX))
    if isinstance(options, dict):
        return {name: substitute(value, folder_of) for name, value in options.items()}
    if isinstance(options, list):
        return [substitute(value, folder_of) for value in options]
    return options
