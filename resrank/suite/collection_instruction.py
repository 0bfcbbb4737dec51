"""The retrieval instruction of each collection: `{instruction}` in a system's options.

An encoder that is told what to retrieve is told it in the query alone. Passage embeddings do not
depend on it, so that systems and collections keep sharing them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resrank.model.options import INSTRUCTION
from resrank.reranker_entry import options_of
from resrank.suite.entry_classes import is_reranker_kind


def with_instruction(options: Any, text: str) -> Any:
    """Return the options with each `{instruction}` in a text replaced by a collection's."""
    if isinstance(options, str):
        return options.replace(INSTRUCTION, text)
    if isinstance(options, dict):
        return {name: with_instruction(value, text) for name, value in options.items()}
    if isinstance(options, list):
        return [with_instruction(value, text) for value in options]
    return options


def served_with(kind: str, options: dict[str, Any], text: str) -> dict[str, Any]:
    """Return a reranker's options for the queries of a collection with this instruction.

    It replaces each `{instruction}`. A saved model gets it as the option `instruction`, unless that
    is set: its texts are in the model's own file. So do those among the options of a fusion.
    """
    served = {name: _served(value, text) for name, value in options.items()}
    if options_of(kind, served).saved_model is not None:
        return {"instruction": text, **served}
    return served


def _served(value: Any, text: str) -> Any:
    if isinstance(value, list):
        return [_served(item, text) for item in value]
    if isinstance(value, dict) and is_reranker_kind(value.get("kind")):
        options = served_with(value["kind"], value.get("options", {}), text)
        return with_instruction(value, text) | {"options": options}
    return with_instruction(value, text)


def with_open_instructions(options: Any, texts: Mapping[str, str]) -> Any:
    """Return options in which `{instruction}` was replaced with their texts before that.

    texts: by the options' names, as `open_instructions` yields them.
    """
    if isinstance(options, dict):
        return {
            name: texts[name] if name in texts else with_open_instructions(value, texts)
            for name, value in options.items()
        }
    if isinstance(options, list):
        return [with_open_instructions(value, texts) for value in options]
    return options


def open_instructions(options: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each option that has `{instruction}` in it."""
    if isinstance(options, str) and INSTRUCTION in options:
        yield name, options
    elif isinstance(options, dict):
        for key, value in options.items():
            yield from open_instructions(value, key)
    elif isinstance(options, list):
        for value in options:
            yield from open_instructions(value, name)
