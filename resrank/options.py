"""The base class of every options section, and how error messages print a value."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Discriminator, model_validator

NAME, SHAPE = "<name>", "<shape>"
"""Tags of a value that may be a text or a section. Angle brackets mark that they are not keys, so
that error messages leave them out of the path to a key."""
NAME_OR_SHAPE = Discriminator(lambda value: NAME if isinstance(value, str | Path) else SHAPE)


class Strict(BaseModel):
    """A frozen section in which an unknown key or a non-finite number is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            unknown = sorted(str(key) for key in value if key not in cls.model_fields)
            if unknown:
                allowed = ", ".join(sorted(cls.model_fields))
                raise ValueError(f"unknown key {', '.join(unknown)}; known: {allowed}")
        return value


_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = 120


def short_repr(value: object) -> str:
    """Return the repr of a value, without its middle if it is long."""
    return _repr.repr(value)


def texts_in(options: Any) -> Iterator[str]:
    """Yield every text among the values of nested mappings and lists."""
    if isinstance(options, str):
        yield options
    elif isinstance(options, Mapping | list):
        for item in options.values() if isinstance(options, Mapping) else options:
            yield from texts_in(item)
