"""Sliding windows over a ranked list, from its end to its start: one implementation for every
listwise system (Sun et al., EMNLP 2023, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from pydantic import Field, model_validator

from resrank.options import Strict

Item = TypeVar("Item")


class Window(Strict):
    """How a list longer than a model can read is reranked piece by piece."""

    size: int = Field(20, ge=2, description="Passages a window.")
    step: int = Field(10, ge=1, description="Passages a window moves up.")
    passes: int = Field(1, ge=1, description="Times the whole list is gone through.")

    @model_validator(mode="after")
    def _step_within_size(self) -> Window:
        if self.step > self.size:
            raise ValueError(
                f"step {self.step} is larger than size {self.size}: passages between two windows "
                "would never be read; use a step of at most the size"
            )
        return self


def spans(length: int, window: Window) -> Iterator[tuple[int, int]]:
    """(start, end) of each window of one pass, from the list's end to its start.

    The last one starts at 0 and is a whole window, unless the list itself is shorter; so each
    passage stands in at least one window. An empty list and a list of one have none.
    """
    if length < 2:
        return
    end = length
    while True:
        start = max(0, end - window.size)
        yield start, min(length, start + window.size)
        if start == 0:
            return
        end -= window.step


def window_sizes(length: int, window: Window | None) -> list[int]:
    """Items of each window of all passes over a list; of the whole list at once without windows."""
    if window is None:
        return [length] if length else []
    return [end - start for start, end in spans(length, window)] * window.passes


def slide(
    lists: Sequence[Sequence[Item]],
    window: Window,
    order: Callable[[Sequence[Sequence[Item]]], Sequence[Sequence[int]]],
) -> list[list[Item]]:
    """The lists after `order` has permuted each window in turn.

    order: windows -> each one's places, best first. Windows of one round, one of each list, are
    ordered together, so that a model can batch them. Raises ValueError on places that are no
    permutation.
    """
    ranked = [list(items) for items in lists]
    for _ in range(window.passes):
        plans = [list(spans(len(items), window)) for items in ranked]
        for number in range(max(map(len, plans), default=0)):
            active = [i for i, plan in enumerate(plans) if number < len(plan)]
            cuts = [slice(*plans[i][number]) for i in active]
            pieces = [ranked[i][cut] for i, cut in zip(active, cuts, strict=True)]
            for i, cut, piece, places in zip(active, cuts, pieces, order(pieces), strict=True):
                ranked[i][cut] = _permuted(piece, places)
    return ranked


def _permuted(piece: Sequence[Item], places: Sequence[int]) -> list[Item]:
    if sorted(places) != list(range(len(piece))):
        raise ValueError(f"{list(places)!r} is no permutation of a window of {len(piece)}")
    return [piece[place] for place in places]
