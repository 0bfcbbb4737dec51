"""The collections that a system is trained on: one, or a mixture with weights."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

AUTO = "auto"
"""Stands for a collection that the suite chooses."""
ONE, EQUAL, WEIGHTED = "<one>", "<equal>", "<weighted>"
Names = Annotated[list[str], Field(min_length=1)]
Weights = Annotated[dict[str, Annotated[float, Field(gt=0)]], Field(min_length=1)]


def weights_of(trained_on: str | list[str] | dict[str, float]) -> dict[str, float]:
    """Return the named collections, each with its weight; 1 where none is given."""
    if isinstance(trained_on, str):
        return {trained_on: 1.0}
    return trained_on if isinstance(trained_on, dict) else dict.fromkeys(trained_on, 1.0)


def _form(value: Any) -> str:
    if isinstance(value, str):
        return ONE
    return EQUAL if isinstance(value, list | tuple) else WEIGHTED


def _check_names(trained_on: Any) -> Any:
    """Raise ValueError if a mixture names a collection twice, or `auto` beside others."""
    if isinstance(trained_on, str):
        return trained_on
    twice = sorted(name for name, count in Counter(trained_on).items() if count > 1)
    if isinstance(trained_on, list) and twice:
        raise ValueError(
            f"{', '.join(twice)} occurs twice; for a larger share give weights: "
            f"{{{twice[0]}: 2, ...}}"
        )
    if AUTO in trained_on:
        raise ValueError(f"a mixture names its collections; `{AUTO}` stands alone")
    return trained_on


TrainedOn = Annotated[
    Annotated[str, Tag(ONE)] | Annotated[Names, Tag(EQUAL)] | Annotated[Weights, Tag(WEIGHTED)],
    Discriminator(_form),
    AfterValidator(_check_names),
]
