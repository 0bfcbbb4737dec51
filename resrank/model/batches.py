"""Length-sorted batches under a token budget: little padding, bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def token_budget_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield groups of places, longest texts first, each at most `budget` padded tokens.

    The longest come first so that memory runs out at once or never. A text longer than the budget
    forms a group of its own.
    """
    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    batch: list[int] = []
    for place in order:
        longest = lengths[batch[0]] if batch else lengths[place]
        if batch and longest * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
