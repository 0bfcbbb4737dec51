"""Scores of four systems over 60 queries: two clearly lower, and two whose seeds overlap."""

import numpy as np

_RNG = np.random.default_rng(0)
_QUERIES = _RNG.normal(0, 0.1, 60)


def _rows(system, seeds, level):
    for seed in seeds:
        for query, value in enumerate(level + _QUERIES + _RNG.normal(0, 0.05, 60)):
            yield system, seed, f"{query:02}", "nDCG@10", float(value)


SCORES = [
    *_rows("low", [0], 0.3),
    *_rows("middle", [0], 0.4),
    *_rows("level", [1, 2, 3], 0.52),
    *_rows("high", [1, 2, 3], 0.521),
]
