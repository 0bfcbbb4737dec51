"""Hours and bytes as text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

UNKNOWN = "unknown"


def hours_text(hours: float | None) -> str:
    """Return GPU hours as text."""
    if hours is None:
        return UNKNOWN
    return f"{hours:,.2f} GPU h" if hours == 0 or hours >= 0.005 else "under 0.01 GPU h"


def gigabytes_text(count: float | None) -> str:
    """Return a number of bytes as text, in gigabytes."""
    return UNKNOWN if count is None else f"{count / 1e9:,.2f} GB"


def size_text(count: int) -> str:
    """Return the exact size of files as text."""
    return f"{count:,} bytes ({count / 1e9:.2f} GB)"


def total_text(values: Sequence[float | None], text: Callable[[float], str]) -> str:
    """Return the sum of the given values as text, and how many of them are unknown."""
    given = [value for value in values if value is not None]
    rest = f", {len(values) - len(given)} {UNKNOWN}" if len(given) < len(values) else ""
    return f"{text(sum(given))}{rest}"
