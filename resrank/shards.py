"""Shards of a job, whose number does not change the results.

The last bits of a model's numbers depend on what it reads in one batch. So the batches are always
those of the whole job, and each shard takes some of them as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

ShardItem = TypeVar("ShardItem")


class Shard(NamedTuple):
    """One of `of` jobs, numbered from 0."""

    number: int = 0
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard that the rules name '2of7'. Raises ValueError on anything else."""
        number, _, of = text.partition("of")
        if not (number.isdecimal() and of.isdecimal() and int(number) < int(of)):
            raise ValueError(f"shard {text!r}; write it as 0of7, ..., 6of7")
        return cls(int(number), int(of))

    def take(self, items: Sequence[ShardItem]) -> Sequence[ShardItem]:
        """Return its share of consecutive items; the shares of all shards in turn are all items."""
        ends = [len(items) * place // self.of for place in (self.number, self.number + 1)]
        return items[ends[0] : ends[1]]


WHOLE = Shard()
