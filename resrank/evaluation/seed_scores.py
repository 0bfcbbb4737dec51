"""Scores per system, seed and query, as `score` wrote them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from resrank.evaluation.resampling import Values
from resrank.io.parquet import read_columns

ScoreRow = tuple[str, int, str, str, float]
"""(system, seed, query id, metric, value)."""
SCORES = ("system", "seed", "query_id", "metric", "value")
"""The columns of a parquet file of scores."""


class SeedScores(NamedTuple):
    """One system's values of one metric, (seeds, queries), with its seeds in order."""

    seeds: tuple[int, ...]
    values: Values

    @property
    def per_query(self) -> Values:
        """The mean over seeds per query, (queries,)."""
        return np.asarray(self.values.mean(axis=0))

    def at(self, seeds: Sequence[int]) -> SeedScores:
        """Return the values of these seeds, or all if the system lacks one of them.

        A system that no seed changes has the one seed 0.
        """
        if not set(seeds) <= set(self.seeds):
            return self
        return SeedScores(tuple(seeds), self.values[[self.seeds.index(seed) for seed in seeds]])


def read_scores(path: Path, metric: str) -> list[ScoreRow]:
    """Read one metric's rows of a parquet file of scores."""
    columns = read_columns(path, SCORES, [("metric", "=", metric)]).to_pydict()
    return list(zip(*(columns[name] for name in SCORES), strict=True))


def seed_scores(rows: Iterable[ScoreRow], metric: str) -> dict[str, SeedScores]:
    """Return each system's values of a metric, with seeds and query ids sorted."""
    scores: dict[str, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for system, seed, query_id, name, value in rows:
        if name == metric:
            scores[system][seed][query_id] = value
    return {
        system: SeedScores(
            tuple(sorted(seeds)),
            np.array([[s[q] for q in sorted(s)] for _, s in sorted(seeds.items())]),
        )
        for system, seeds in scores.items()
    }


def seed_values(rows: Iterable[ScoreRow], metric: str) -> dict[str, Values]:
    """Return each system's values, (seeds, queries), with seeds and query ids sorted."""
    return {system: scores.values for system, scores in seed_scores(rows, metric).items()}
