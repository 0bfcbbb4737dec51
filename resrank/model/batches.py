"""Length-sorted batches under a token budget: little padding, bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def token_budget_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield batches of places in `lengths`, longest texts first.

    A batch has at most `budget` tokens, padding included; a text longer than that is a batch alone.
    The longest texts come first, so that memory runs out in the first batch or never.
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
