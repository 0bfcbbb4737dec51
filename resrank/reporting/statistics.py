"""The statistics of a suite's candidate sets, as `significance` wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resrank.evaluation.all_pairs import corrected_together
from resrank.reporting.results import read_json
from resrank.suite.resolved import Resolved

Statistics = Mapping[tuple[str, str], Mapping[str, Any]]
"""(collection, first stage) -> the statistics that `significance` wrote."""


def read_statistics(resolved: Resolved, root: Path) -> Statistics:
    """Read the statistics of each candidate set; an ablation's tests are corrected over all."""
    statistics = {
        (dataset, stage): read_json(root / "statistics" / dataset / f"{stage}.json")
        for dataset, stage in resolved.pairs
    }
    return with_corrected_ablation(statistics)


def with_corrected_ablation(statistics: Statistics) -> Statistics:
    """Return the statistics with `p_holm` in the ablation's tests, one family over all sets."""
    sets = [(pair, test) for pair, results in statistics.items() for test in results["ablation"]]
    corrected = corrected_together([test for _, test in sets])
    by_set: dict[tuple[str, str], list[dict[str, Any]]] = {pair: [] for pair in statistics}
    for (pair, _), test in zip(sets, corrected, strict=True):
        by_set[pair].append(test)
    return {pair: {**results, "ablation": by_set[pair]} for pair, results in statistics.items()}
