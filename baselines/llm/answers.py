"""Parse a model's answer as a permutation of a window, and grade how well-formed it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Literal, NamedTuple

DIGITS, BRACKETED = re.compile(r"\d+"), re.compile(r"\[(\d+)\]")
CLEAN = re.compile(r"\s*\[\d+\](?:\s*>\s*\[\d+\])*\s*")
Rule = Literal["any_digits", "bracketed", "strict"]


class Verdict(StrEnum):
    """Well-formed and complete; completed by a rule; or useless, so the window keeps its order."""

    CLEAN = "clean"
    REPAIRED = "repaired"
    REJECTED = "rejected"


class Parsed(NamedTuple):
    """A window's places, best first, and the verdict on the answer."""

    places: list[int]
    verdict: Verdict


def parse(answer: str, size: int, rule: Rule) -> Parsed:
    """Parse an answer as a permutation of `size` places.

    `any_digits` takes every number, `bracketed` only those in square brackets. Both keep the first
    occurrence of each number and append the missing places in their given order. `strict` takes
    clean answers only. An answer that names no passage leaves the window in its order.
    """
    named = [int(n) - 1 for n in _numbers(answer, rule)]
    places = list(dict.fromkeys(place for place in named if 0 <= place < size))
    clean = bool(CLEAN.fullmatch(answer)) and sorted(named) == list(range(size))
    if clean:
        return Parsed(places, Verdict.CLEAN)
    if rule == "strict" or not places:
        return Parsed(list(range(size)), Verdict.REJECTED)
    missing = (place for place in range(size) if place not in set(places))
    return Parsed([*places, *missing], Verdict.REPAIRED)


def rejection_reason(answer: str, size: int, rule: Rule) -> str:
    """Return why `parse` rejects an answer (without its reasoning) to a window of `size`."""
    if not answer.strip():
        return "it is empty"
    if rule == "strict":
        return f"it is not each of [1] to [{size}] once, joined by '>'"
    first, last = ("[1]", f"[{size}]") if rule == "bracketed" else ("1", str(size))
    return f"it names no passage from {first} to {last}"


def _numbers(answer: str, rule: Rule) -> Sequence[str]:
    pattern: Callable[[str], list[str]] = (
        DIGITS.findall if rule == "any_digits" else BRACKETED.findall
    )
    return [number for number in pattern(answer) if len(number) < 10]
