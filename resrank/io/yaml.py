"""Read YAML files of a given type, with errors that name the place and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from resrank.options import short_repr

Model = TypeVar("Model", bound=BaseModel)


class ConfigError(ValueError):
    """A configuration that cannot be used; says where, what was found, what is allowed."""


def read_source(model: type[Model], path: Path) -> Model:
    """A YAML file of a given type. Raises ConfigError that names the key and what is known."""
    return validated(model, read_yaml(path), str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping. Raises ConfigError otherwise."""
    try:
        return mapping(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text ({error.reason})") from error


def mapping(text: str, source: str) -> dict[str, Any]:
    """A YAML text that holds a mapping. Raises ConfigError otherwise."""
    try:
        value = parse(text)
    except ValueError as error:
        raise ConfigError(f"{source} is not valid YAML: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{source}: expected a mapping of keys, found {type(value).__name__}")
    return value


def validated(model: type[Model], value: Mapping[str, Any], source: str) -> Model:
    """A mapping as that type. Raises ConfigError, source in front of each of its lines."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ConfigError(explain(error, source)) from error


def explain(error: ValidationError, source: str) -> str:
    """One line a mistake: where, what was given, what is allowed; source: '' if it is plain."""
    lines = []
    for item in error.errors():
        where = ".".join(part for part in map(str, item["loc"]) if not part.startswith("<"))
        given = "" if isinstance(item["input"], dict) else f" (given: {short_repr(item['input'])})"
        lines.append(": ".join(part for part in (source, where, _said(item)) if part) + given)
    return "\n".join(lines)


def _said(item: ErrorDetails) -> str:
    """What is wrong; of an entry without a known `kind`, which kinds there are."""
    about = item.get("ctx", {})
    if item["type"] == "union_tag_invalid":
        return f"unknown {about['discriminator']} {about['tag']!r}; known: {about['expected_tags']}"
    if item["type"] == "union_tag_not_found":
        return f"no {about['discriminator']}; docs/configuration.md lists them"
    return item["msg"].removeprefix("Value error, ")


MOST = 100_000  # entries of a file, each counted as often as aliases name it
UNREADABLE = (
    yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip
"""What PyYAML raises: `!!int ""` an IndexError, `!!bool x` a KeyError, 2001-99-99 a ValueError."""


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader with bounds; its errors say line and column."""

    def get_single_node(self) -> yaml.Node | None:
        """The document, checked before any value is made of it."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            self.size(node, {})
        return node

    def size(self, node: yaml.Node, known: dict[int, int]) -> int:
        """Entries at and below a node, aliases followed. ConstructorError at more than `MOST`.

        known: what was counted, by the node's identity; of a node that is being counted, too many:
        met again below itself, it has no end.
        """
        if id(node) not in known:
            known[id(node)] = MOST
            known[id(node)] = 1 + sum(self.size(part, known) for part in _parts(node))
            if isinstance(node, yaml.MappingNode):
                _check_keys(node)
        if known[id(node)] >= MOST:
            raise _error(
                f"{MOST:,} entries or more, aliases followed, or one that holds itself", node
            )
        return known[id(node)]

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A whole number of 64 bits."""
        value = int(super().construct_yaml_int(node))
        if not -(2**63) <= value < 2**63:
            raise _error("a whole number of more than 64 bits", node)
        return value


Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)


def parse(text: str) -> Any:
    """The value of a YAML text. ValueError that says what is wrong, and where."""
    try:
        loader = Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except UNREADABLE as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _check_keys(node: yaml.MappingNode) -> None:
    """A merge (`<<`) may be overridden: only what is written in the mapping itself counts."""
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if (key.tag, key.value) in seen:
                raise _error(f"the key {key.value!r} a second time", key)
            seen.add((key.tag, key.value))


def _error(found: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, f"found {found}", node.start_mark)
