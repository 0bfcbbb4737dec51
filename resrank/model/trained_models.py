"""Options of the form `trained:<system>`, each replaced by the folder of that system's model.

With them, a reranker can use an encoder that another system's job has trained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PREFIX = "trained:"


def parts(options: Any) -> list[str]:
    """Return the sorted names of the systems that options refer to."""
    if isinstance(options, str):
        return [options.removeprefix(PREFIX)] if options.startswith(PREFIX) else []
    if isinstance(options, dict):
        options = list(options.values())
    if isinstance(options, list):
        return sorted({name for value in options for name in parts(value)})
    return []


def substitute(options: Any, folder_of: Callable[[str], str], prefix: str = PREFIX) -> Any:
    """Return the options with each `trained:<system>` replaced by its model's folder.

    prefix: replaces names with this prefix instead of `trained:`.
    """
    if isinstance(options, str) and options.startswith(prefix):
        return folder_of(options.removeprefix(prefix))
    if isinstance(options, dict):
        return {name: substitute(value, folder_of, prefix) for name, value in options.items()}
    if isinstance(options, list):
        return [substitute(value, folder_of, prefix) for value in options]
    return options
