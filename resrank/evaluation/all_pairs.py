"""Comparison of the systems of a candidate set: all pairs, and trained against untrained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resrank.evaluation.bootstrap import mean_intervals
from resrank.evaluation.resampling import RESAMPLES, Values
from resrank.evaluation.significance import LEVEL, effect_size, holm, randomisation_p, t_test_p
from resrank.io.manifest import write_checked_json, write_manifest
from resrank.io.parquet import read_columns

ScoreRow = tuple[str, int, str, str, float]
"""(system, seed, query id, metric, value)."""
SCORES = ("system", "seed", "query_id", "metric", "value")
"""The columns of a parquet file of scores."""


class Families(NamedTuple):
    """What is tested: each family of comparisons is corrected by itself.

    untrained: trained system -> its untrained self, one family. companions: systems that are
    scored as untrained selves alone, and are not in the family of all pairs.
    """

    untrained: Mapping[str, str] = {}
    companions: Collection[str] = ()


ALL_PAIRS = Families()
"""The family of all pairs alone, for a suite without trained systems."""


def compare(scores: Path, metric: str, out: Path, families: Families = ALL_PAIRS) -> None:
    """Write the statistics of one candidate set as JSON, from the scores that `score` wrote."""
    rows = read_scores(scores, metric)
    if not rows:
        raise ValueError(f"{scores} holds no {metric!r}; name a metric that the suite scores")
    write_checked_json(out, statistics(rows, metric, families))
    write_manifest(
        out.with_suffix(".manifest.json"),
        inputs={"scores": scores},
        config={"metric": metric, "level": LEVEL, "resamples": RESAMPLES}
        | {"untrained": dict(families.untrained), "companions": sorted(families.companions)},
        outputs=[out],
    )


def read_scores(path: Path, metric: str) -> list[ScoreRow]:
    """Read one metric's rows of a parquet file of scores."""
    columns = read_columns(path, SCORES, [("metric", "=", metric)]).to_pydict()
    return list(zip(*(columns[name] for name in SCORES), strict=True))


def statistics(
    rows: Iterable[ScoreRow], metric: str, families: Families = ALL_PAIRS
) -> dict[str, Any]:
    """Return one metric's means with intervals, spreads over seeds, tests of pairs, and gains.

    rows: scores of one candidate set, every system over the same queries. Holm's correction covers
    two families: all pairs of systems without companions, and every gain of a trained system over
    its untrained self.
    """
    by_seed = seed_values(rows, metric)
    per_query = np.array([values.mean(axis=0) for values in by_seed.values()])
    names = [name for name in by_seed if name not in families.companions]
    gains = [(name, other) for name, other in families.untrained.items() if name in by_seed]
    return {
        "metric": metric,
        "queries": per_query.shape[-1],
        "level": LEVEL,
        "resamples": RESAMPLES,
        "systems": _systems(by_seed, per_query, families.companions),
        "pairs": _tests(by_seed, list(combinations(names, 2))),
        "gains": _tests(by_seed, gains),
    }


def seed_values(rows: Iterable[ScoreRow], metric: str) -> dict[str, Values]:
    """Return each system's values, (seeds, queries), with seeds and query ids sorted."""
    scores: dict[str, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for system, seed, query_id, name, value in rows:
        if name == metric:
            scores[system][seed][query_id] = value
    return {
        system: np.array([[s[q] for q in sorted(s)] for _, s in sorted(seeds.items())])
        for system, seeds in scores.items()
    }


def _systems(
    by_seed: Mapping[str, Values], per_query: Values, companions: Collection[str]
) -> list[dict[str, Any]]:
    intervals = mean_intervals(per_query)
    rows = []
    for (system, values), (low, high) in zip(by_seed.items(), intervals.tolist(), strict=True):
        means = values.mean(axis=-1)
        several = len(means) > 1
        rows.append(
            {
                "system": system,
                "mean": float(means.mean()),
                "low": _finite(low),
                "high": _finite(high),
                "seeds": len(means),
                "sd": float(means.std(ddof=1)) if several else None,
                "min": float(means.min()) if several else None,
                "max": float(means.max()) if several else None,
                "companion": system in companions,
            }
        )
    return rows


def _tests(
    by_seed: Mapping[str, Values], family: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Return a family's differences a minus b with intervals and tests, corrected together."""
    if not family:
        return []
    means = {name: values.mean(axis=0) for name, values in by_seed.items()}
    differences = np.array([means[a] - means[b] for a, b in family])
    p, intervals = randomisation_p(differences), mean_intervals(differences)
    columns = {
        "difference": differences.mean(axis=-1),
        "low": intervals[:, 0],
        "high": intervals[:, 1],
        "p_randomisation": p,
        "p_t": t_test_p(differences),
        "p_holm": holm(p),
        "effect_size": effect_size(differences),
    }
    return [
        {"a": a, "b": b}
        | {name: _finite(values[row]) for name, values in columns.items()}
        | {"within_seeds": within_seeds(by_seed[a], by_seed[b])}
        for row, (a, b) in enumerate(family)
    ]


def within_seeds(one: Values, other: Values) -> bool | None:
    """Return whether two systems' means differ by no more than the seeds of one of them do.

    The spread is the larger range of means over seeds. None if neither system has several seeds.
    one, other: (seeds, queries).
    """
    means = [one.mean(axis=-1), other.mean(axis=-1)]
    spreads = [float(np.ptp(by_seed)) for by_seed in means if len(by_seed) > 1]
    if not spreads:
        return None
    return bool(abs(means[0].mean() - means[1].mean()) <= max(spreads))


def _finite(value: float) -> float | None:
    """Return a number that JSON can hold: None in place of not-a-number."""
    return float(value) if np.isfinite(value) else None
