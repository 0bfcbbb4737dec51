"""Comparison of the systems of a candidate set, in families of tests.

Systems against a baseline, or all pairs; trained systems against their untrained selves; and an
ablation against its reference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resrank.evaluation.bootstrap import interval_over_seeds, mean_intervals
from resrank.evaluation.resampling import RESAMPLES, Values
from resrank.evaluation.seed_scores import ScoreRow, SeedScores, read_scores, seed_scores
from resrank.evaluation.significance import (
    LEVEL,
    effect_size,
    holm,
    permutations,
    randomisation_p,
    t_test_p,
)
from resrank.io.manifest import write_checked_json, write_manifest


class Families(NamedTuple):
    """What is tested: each family of comparisons is corrected by itself.

    untrained: trained system -> its untrained self, one family. companions: systems that are
    scored as untrained selves alone, and are not in the family of comparisons. ablation: the system
    that every other one is tested against, companions included, one family; None: there is none.
    baseline: the system that every other one except companions is compared with, one family; None:
    the family is all pairs. ablation_tests: number of tests in the ablation's family, which covers
    all candidate sets of a suite.
    """

    untrained: Mapping[str, str] = {}
    companions: Collection[str] = ()
    ablation: str | None = None
    baseline: str | None = None
    ablation_tests: int = 0


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
        | families._asdict()
        | {"companions": sorted(families.companions)},
        outputs=[out],
    )


def statistics(
    rows: Iterable[ScoreRow], metric: str, families: Families = ALL_PAIRS
) -> dict[str, Any]:
    """Return one metric's means with intervals, spreads over seeds, and tests.

    rows: scores of one candidate set, every system over the same queries. Holm's correction covers
    two families: "pairs", the systems without companions against the baseline or each other, and
    "gains", each trained system over its untrained self, over the seeds of the trained system. The
    tests of the ablation have no corrected p, since its family covers all candidate sets of a
    suite: see `corrected_together`. "permutations" has the draws of each family's tests.
    """
    by_system = seed_scores(rows, metric)
    per_query = np.array([scores.per_query for scores in by_system.values()])
    names = [name for name in by_system if name not in families.companions]
    pairs = [_pair(by_system, *two) for two in _family(names, families.baseline)]
    gains = _gains(by_system, families.untrained)
    return {
        "metric": metric,
        "queries": per_query.shape[-1],
        "level": LEVEL,
        "resamples": RESAMPLES,
        "baseline": families.baseline,
        "permutations": {
            "pairs": permutations(len(pairs)),
            "gains": permutations(len(gains)),
            "ablation": permutations(families.ablation_tests),
        },
        "systems": _systems(by_system, per_query, families.companions),
        "pairs": corrected_together(_tests(pairs)),
        "gains": corrected_together(gains),
        "ablation": _ablation(by_system, families.ablation, families.ablation_tests),
    }


def _family(names: Sequence[str], baseline: str | None) -> list[tuple[str, str]]:
    """Return the pairs of systems that are compared: all, or each with the baseline."""
    if baseline is None:
        return list(combinations(names, 2))
    if baseline not in names:
        raise ValueError(f"the baseline {baseline!r} has no scores; scored: {', '.join(names)}")
    return [(name, baseline) for name in names if name != baseline]


def corrected_together(tests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the tests of one family with `p_holm`: the randomisation test's p by Holm."""
    adjusted = holm(np.array([test["p_randomisation"] for test in tests]))
    return [dict(test) | {"p_holm": float(p)} for test, p in zip(tests, adjusted, strict=True)]


def _systems(
    by_system: Mapping[str, SeedScores], per_query: Values, companions: Collection[str]
) -> list[dict[str, Any]]:
    intervals = mean_intervals(per_query)
    rows = []
    for (system, scores), (low, high) in zip(by_system.items(), intervals.tolist(), strict=True):
        means = scores.values.mean(axis=-1)
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


class Pair(NamedTuple):
    """Two systems, by name, with the values that are compared."""

    a: str
    b: str
    one: SeedScores
    other: SeedScores


def _pair(by_system: Mapping[str, SeedScores], a: str, b: str) -> Pair:
    """Return a pair of systems over all their seeds."""
    return Pair(a, b, by_system[a], by_system[b])


def _gains(
    by_system: Mapping[str, SeedScores], untrained: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the tests of trained systems against their untrained selves, over the same seeds."""
    pairs = [_pair(by_system, a, b) for a, b in untrained.items() if a in by_system]
    return _tests([pair._replace(other=pair.other.at(pair.one.seeds)) for pair in pairs])


def _ablation(
    by_system: Mapping[str, SeedScores], reference: str | None, family: int
) -> list[dict[str, Any]]:
    """Return the tests of every system against the reference; none without a reference.

    Each has a second interval, `low_over_seeds` to `high_over_seeds`, over queries and seeds.
    """
    if reference is None:
        return []
    pairs = [_pair(by_system, name, reference) for name in by_system if name != reference]
    rows = _tests(pairs, family)
    for row, (_, _, one, other) in zip(rows, pairs, strict=True):
        bounds = interval_over_seeds(one.values, other.values, paired=one.seeds == other.seeds)
        row |= dict(zip(("low_over_seeds", "high_over_seeds"), bounds, strict=True))
    return rows


def _tests(pairs: Sequence[Pair], family: int = 0) -> list[dict[str, Any]]:
    """Return differences a minus b with intervals and tests, not yet corrected.

    family: number of tests that will be corrected together, if these are not all.
    """
    if not pairs:
        return []
    differences = np.array([pair.one.per_query - pair.other.per_query for pair in pairs])
    intervals = mean_intervals(differences)
    columns = {
        "difference": differences.mean(axis=-1),
        "low": intervals[:, 0],
        "high": intervals[:, 1],
        "p_randomisation": randomisation_p(differences, max(family, len(pairs))),
        "p_t": t_test_p(differences),
        "effect_size": effect_size(differences),
    }
    return [
        {"a": pair.a, "b": pair.b}
        | {name: _finite(values[row]) for name, values in columns.items()}
        | {"within_seeds": within_seeds(pair.one.values, pair.other.values)}
        for row, pair in enumerate(pairs)
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
