"""The base class of every options section, and how a value is shown in an error message."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Discriminator, model_validator

NAME, SHAPE = "<name>", "<shape>"
"""Tags of what may be a text or a section; angle brackets: no key, left out of an error's place."""
NAME_OR_SHAPE = Discriminator(lambda value: NAME if isinstance(value, str | Path) else SHAPE)


class Strict(BaseModel):
    """A frozen section in which an unknown key is an error, and no number is endless."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys_only(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            unknown = sorted(str(key) for key in value if key not in cls.model_fields)
            if unknown:
                known = ", ".join(sorted(cls.model_fields))
                raise ValueError(f"unknown key {', '.join(unknown)}; known: {known}")
        return value


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 120
shown = _short.repr
"""The repr of a value, its middle left out where it is long."""
