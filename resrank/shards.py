"""A job in shards whose results do not depend on how many there are.

A model's numbers depend, in their last bits, on what it reads in one batch. So batches are those of
the whole work, however many shards there are, and a shard takes some of them, whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

Item = TypeVar("Item")


class Shard(NamedTuple):
    """The share of one of `of` jobs, numbered from 0."""

    number: int = 0
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """A shard as the rules name it, '2of7'. ValueError on anything else."""
        number, _, of = text.partition("of")
        if not (number.isdecimal() and of.isdecimal() and int(number) < int(of)):
            raise ValueError(f"shard {text!r}; write it as 0of7, ..., 6of7")
        return cls(int(number), int(of))

    def take(self, items: Sequence[Item]) -> Sequence[Item]:
        """Its share of items: consecutive ones, so that the shares in turn are all of them."""
        ends = [len(items) * place // self.of for place in (self.number, self.number + 1)]
        return items[ends[0] : ends[1]]


WHOLE = Shard()
