"""The library: the collections, first stages and systems that config/ defines for every suite."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from resrank.io.shipped_files import shipped
from resrank.io.yaml import ConfigError, read_yaml, validated
from resrank.suite.schema import Definitions

Definition = TypeVar("Definition")


@cache
def library() -> Definitions:
    """Return what config/ defines."""
    merged: dict[str, Any] = {}
    for file in ("datasets.yaml", "systems.yaml"):
        merged |= read_yaml(shipped(file))
    return validated(Definitions, merged, "config/")


def pick(section: Mapping[str, Definition], name: str, thing: str) -> Definition:
    """Return a definition by its name. ConfigError lists the names that are defined."""
    if name not in section:
        raise ConfigError(f"unknown {thing} {name!r}; known: {', '.join(sorted(section))}")
    return section[name]
