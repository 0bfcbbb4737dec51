"""Comparison of rows of two training logs."""

from collections.abc import Mapping
from typing import Any

import pytest


def assert_same_step(one: Mapping[str, Any], other: Mapping[str, Any], **near: float) -> None:
    """Assert that texts are equal, and that numbers are within `rel` and `abs`."""
    words, numbers = _parted(one)
    other_words, other_numbers = _parted(other)
    assert other_words == words
    assert other_numbers == pytest.approx(numbers, **near)


def _parted(row: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, float]]:
    words = {key: value for key, value in row.items() if isinstance(value, str)}
    return words, {key: value for key, value in row.items() if key not in words}
