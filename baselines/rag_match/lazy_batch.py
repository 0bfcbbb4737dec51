"""A batch whose items are looked up when they are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class LazyBatch(Sequence[Any]):
    """Items at some places of a sequence, looked up on access.

    The sequence may be a file of documents, whose lines need not be held in memory.
    """

    def __init__(self, items: Sequence[Any], places: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        """Keep the sequence and the places, (batch,), that the batch takes from it."""
        self.items = items
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self.items[int(place)] for place in self.places[index]]
        return self.items[int(self.places[index])]
