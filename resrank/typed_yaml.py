"""YAML files of a given type; a mistake in one is named by its place, with what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from resrank.bounded_yaml import parse
from resrank.shown import shown

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
        given = "" if isinstance(item["input"], dict) else f" (given: {shown(item['input'])})"
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
