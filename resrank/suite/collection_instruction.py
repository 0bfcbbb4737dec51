"""The retrieval instruction of each collection: `{instruction}` in a system's options.

An encoder that is told what to retrieve is told it in the query alone. Passage embeddings do not
depend on it, so that systems and collections keep sharing them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from resrank.model.options import INSTRUCTION


def with_instruction(options: Any, text: str) -> Any:
    """Return the options with each `{instruction}` in a text replaced by a collection's."""
    if isinstance(options, str):
        return options.replace(INSTRUCTION, text)
    if isinstance(options, dict):
        return {name: with_instruction(value, text) for name, value in options.items()}
    if isinstance(options, list):
        return [with_instruction(value, text) for value in options]
    return options


def open_instructions(options: Any, name: str = "") -> Iterator[str]:
    """Yield the names of the options whose text has `{instruction}` in it."""
    if isinstance(options, str) and INSTRUCTION in options:
        yield name
    elif isinstance(options, dict):
        for key, value in options.items():
            yield from open_instructions(value, key)
    elif isinstance(options, list):
        for value in options:
            yield from open_instructions(value, name)
