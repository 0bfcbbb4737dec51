"""Read YAML files as pydantic models, with errors that name the place and the allowed values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from resrank.io.text import repeated
from resrank.options import short_repr

ModelT = TypeVar("ModelT", bound=BaseModel)


class ConfigError(ValueError):
    """An unusable configuration. The message names the place, the value and the allowed values."""


def read_source(model: type[ModelT], path: Path) -> ModelT:
    """Return a YAML file as a model. Raises ConfigError, which names the key and the known keys."""
    return validated(model, read_yaml(path), str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file. Raises ConfigError if the file holds anything else."""
    try:
        return mapping(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text ({error.reason})") from error


def check_keys(path: Path) -> None:
    """Raise ConfigError if a key occurs twice in a mapping of a YAML or JSON file."""
    if path.suffix != ".json":
        read_yaml(path)
        return
    try:
        json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_distinct)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid JSON: {error}") from error


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    again = repeated(key for key, _ in pairs)
    if again is not None:
        raise ValueError(f"found the key {short_repr(again)} a second time")
    return dict(pairs)


def mapping(text: str, source: str) -> dict[str, Any]:
    """Return the mapping in a YAML text. Raises ConfigError if the text holds anything else."""
    try:
        value = parse(text)
    except ValueError as error:
        raise ConfigError(f"{source} is not valid YAML: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{source}: expected a mapping of keys, found {type(value).__name__}")
    return value


def validated(model: type[ModelT], value: Mapping[str, Any], source: str) -> ModelT:
    """Return a mapping as a model. Raises ConfigError, with the source in front of each line."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ConfigError(explain(error, source)) from error


def explain(error: ValidationError, source: str) -> str:
    """Return one line per mistake: the place, the value, the allowed values; `source` may be ''."""
    lines = []
    for item in error.errors():
        where = ".".join(part for part in map(str, item["loc"]) if not part.startswith("<"))
        given = "" if isinstance(item["input"], dict) else f" (given: {short_repr(item['input'])})"
        lines.append(": ".join(part for part in (source, where, _reason(item)) if part) + given)
    return "\n".join(lines)


def _reason(item: ErrorDetails) -> str:
    """Return the reason of an error; an entry with an unknown `kind` gets the known kinds."""
    about = item.get("ctx", {})
    if item["type"] == "union_tag_invalid":
        return f"unknown {about['discriminator']} {about['tag']!r}; known: {about['expected_tags']}"
    if item["type"] == "union_tag_not_found":
        return f"no {about['discriminator']}; docs/configuration.md lists them"
    return item["msg"].removeprefix("Value error, ")


MOST = 100_000  # values per file
UNREADABLE = (
    yaml.YAMLError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What PyYAML raises: `!!int ""` an IndexError, `!!bool x` a KeyError, 2001-99-99 a ValueError."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which refuses repeated keys, endless aliases and huge integers."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose the next node, count the values in it, and check a mapping's keys.

        Values behind an alias count each time. An alias of a value that contains it has no end.
        """
        is_alias = self.check_event(yaml.AliasEvent)
        node: yaml.Node | None = super().compose_node(parent, index)
        if node is None:
            return None
        if not is_alias:
            self._sizes[node] = 1 + sum(self._sizes[part] for part in _parts(node))
        if self._sizes.get(node, MOST) >= MOST:
            raise _error(f"{MOST:,} values or more, or a value that contains itself", node)
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Construct an integer of at most 64 bits."""
        value = int(super().construct_yaml_int(node))
        if not -(2**63) <= value < 2**63:
            raise _error("an integer of more than 64 bits", node)
        return value


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def parse(text: str) -> Any:
    """Return the value of a YAML text. Raises ValueError with the mistake and its place."""
    try:
        return _Loader(text).get_single_data()
    except UNREADABLE as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _check_keys(node: yaml.MappingNode) -> None:
    """Raise an error at a repeated key. A key may override one that `<<` merges."""
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if (key.tag, key.value) in seen:
                raise _error(f"the key {key.value!r} a second time", key)
            seen.add((key.tag, key.value))


def _error(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.composer.ComposerError(None, None, f"found {problem}", node.start_mark)
