"""A model's answer as a permutation of a window, and how much had to be repaired."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Literal, NamedTuple

DIGITS, BRACKETED = re.compile(r"\d+"), re.compile(r"\[(\d+)\]")
CLEAN = re.compile(r"\s*\[\d+\](?:\s*>\s*\[\d+\])*\s*")
Rule = Literal["any_digits", "bracketed", "strict"]


class Verdict(StrEnum):
    """What an answer was: in the asked form and whole, made whole, or of no use."""

    CLEAN = "clean"
    REPAIRED = "repaired"
    REJECTED = "rejected"


class Parsed(NamedTuple):
    """Places of a window, best first, and the verdict on the answer."""

    places: list[int]
    verdict: Verdict


def parse(answer: str, size: int, rule: Rule) -> Parsed:
    """A permutation of `size` places from an answer.

    `any_digits` takes every number, `bracketed` those in square brackets, in their order, each at
    its first occurrence, and puts the missing behind them in the order given. `strict` takes a
    clean answer only. An answer that names no passage leaves the window as it was.
    """
    named = [int(n) - 1 for n in _numbers(answer, rule)]
    found = list(dict.fromkeys(place for place in named if 0 <= place < size))
    clean = bool(CLEAN.fullmatch(answer)) and sorted(named) == list(range(size))
    if clean:
        return Parsed(found, Verdict.CLEAN)
    if rule == "strict" or not found:
        return Parsed(list(range(size)), Verdict.REJECTED)
    return Parsed([*found, *(p for p in range(size) if p not in set(found))], Verdict.REPAIRED)


def _numbers(answer: str, rule: Rule) -> Sequence[str]:
    pattern: Callable[[str], list[str]] = (
        DIGITS.findall if rule == "any_digits" else BRACKETED.findall
    )
    return [number for number in pattern(answer) if len(number) < 10]
