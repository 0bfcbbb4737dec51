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


def substitute(options: Any, folder_of: Callable[[str], str], prefix: str = PREFIX) -> Any:
    """The options with each `trained:<system>` replaced by its model's folder.

    prefix: of other names that are to be replaced in its stead.
    """
    if isinstance(options, str) and options.startswith(prefix):
        return folder_of(options.removeprefix(prefix))
    if isinstance(options, dict):
        return {name: substitute(value, folder_of, prefix) for name, value in options.items()}
    if isinstance(options, list):
        return [substitute(value, folder_of, prefix) for value in options]
    return options
