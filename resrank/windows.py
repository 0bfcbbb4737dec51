"""Sliding windows over a ranked list, from its end to its start (Sun et al., EMNLP 2023).

Every listwise reranker uses this one implementation of their section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from pydantic import Field, model_validator

from resrank.options import Strict

WindowItem = TypeVar("WindowItem")


class Window(Strict):
    """How a list that is too long for a model is reranked piece by piece."""

    size: int = Field(20, ge=2, description="Passages per window.")
    step: int = Field(10, ge=1, description="Passages that a window moves up.")
    passes: int = Field(1, ge=1, description="Passes over the whole list.")

    @model_validator(mode="after")
    def _step_within_size(self) -> Window:
        if self.step > self.size:
            raise ValueError(
                f"step {self.step} is larger than size {self.size}: passages between two windows "
                "would never be read; use a step of at most the size"
            )
        return self


def spans(length: int, window: Window) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each window of one pass, from the list's end to its start.

    The last window starts at 0 and has full size, unless the list itself is shorter. So each
    passage is in at least one window. Lists of fewer than two passages have no window.
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
    """Return the size of each window of all passes; without windows, that of the whole list."""
    if window is None:
        return [length] if length else []
    return [end - start for start, end in spans(length, window)] * window.passes


def slide(
    lists: Sequence[Sequence[WindowItem]],
    window: Window,
    order: Callable[[Sequence[Sequence[WindowItem]]], Sequence[Sequence[int]]],
) -> list[list[WindowItem]]:
    """Return the lists after `order` has permuted each window in turn.

    order: takes windows, and returns each window's indices, best first. It gets the windows of one
    round together, one per list, so that a model can batch them. Raises ValueError if its indices
    are no permutation.
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


def _permuted(piece: Sequence[WindowItem], places: Sequence[int]) -> list[WindowItem]:
    if sorted(places) != list(range(len(piece))):
        raise ValueError(f"{list(places)!r} is no permutation of a window of {len(piece)}")
    return [piece[place] for place in places]
