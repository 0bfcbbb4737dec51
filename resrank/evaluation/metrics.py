"""Metrics by name, computed by ir_measures. Averages are over every judged query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from resrank.options import short_repr
from resrank.records import Qrels

ALIASES = {"MRR": "RR", "Recall": "R"}
BINARY = {"RR", "R", "AP", "P", "Success", "Rprec", "SetP", "SetR", "SetF", "Bpref"}
KNOWN = [
    "nDCG@k",
    "nDCG",
    "MRR@k (RR@k)",
    "MRR",
    "Recall@k (R@k)",
    "AP@k",
    "AP",
    "P@k",
    "Success@k",
    "Rprec",
    "Bpref",
    "ERR@k",
]
Score = tuple[str, str, float]
"""(metric, query id, value)."""


@cache
def parse_metric(name: str, relevant_grade: int = 1) -> Any:
    """Return the ir_measures measure of a name such as nDCG@10, MRR@10 or RR(rel=2)@10.

    relevant_grade: lowest grade that a binary metric counts, unless the name has `rel=`. Raises
    ValueError, which lists the supported names.
    """
    import ir_measures

    family, rest = _split(name)
    try:
        measure = ir_measures.parse_measure(ALIASES.get(family, family) + rest)
        if measure.params.get("cutoff", 1) < 1:
            raise ValueError("the cut-off must be at least 1")
        if relevant_grade != 1 and measure.NAME in BINARY and "rel" not in measure.params:
            measure = measure(rel=relevant_grade)
        _try_out(measure)
    except Exception as error:  # the back ends raise different errors
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"unknown metric {short_repr(name)} ({reason[:200]}); write it as in nDCG@10 or "
            f"RR(rel=2)@10; known: {', '.join(KNOWN)}"
        ) from error
    return measure


@cache
def _try_out(measure: Any) -> None:
    """Compute a metric once: a name may parse although nothing installed can compute it."""
    import ir_measures

    list(ir_measures.iter_calc([measure], {"1": {"p": 1}}, {"1": {"p": 1.0}}))


def per_query(
    metrics: Sequence[str],
    qrels: Qrels,
    run: Mapping[str, Mapping[str, float]],
    relevant_grade: int = 1,
) -> list[Score]:
    """Return every metric of every judged query; a query missing from the run scores 0.

    Ties are broken as by trec_eval. This is done here because the back ends of ir_measures differ.
    They see queries by number, since gdeval, which computes ERR, takes no other ids.
    """
    import ir_measures

    measures = {name: parse_metric(name, relevant_grade) for name in metrics}
    numbers = {q: str(number) for number, q in enumerate(qrels, start=1)}
    judged = {numbers[q]: _safe(g) for q, g in qrels.items()}
    scored = {numbers[q]: _untied(scores) for q, scores in run.items() if q in numbers}
    values: dict[str, dict[str, float]] = {str(measure): {} for measure in measures.values()}
    for m in ir_measures.iter_calc(list(set(measures.values())), judged, scored):
        values[str(m.measure)][m.query_id] = float(m.value)
    queries = sorted(qrels)
    return [
        (name, q, values[str(measure)].get(numbers[q], 0.0))
        for name, measure in measures.items()
        for q in queries
    ]


def _safe(grades: Mapping[str, int]) -> dict[str, int]:
    """Return the grades, or zeros if all are negative: trec_eval would crash on those."""
    if max(grades.values(), default=0) < 0:
        return dict.fromkeys(grades, 0)
    return grades if isinstance(grades, dict) else dict(grades)


def _untied(scores: Mapping[str, float]) -> dict[str, float]:
    """Return the scores if no two tie, else scores that fall by rank.

    Most lists have no tie, and sorting them here would take longer than scoring them.
    """
    if isinstance(scores, dict) and not has_ties(scores.values()):
        return scores
    return falling(trec_order(scores.items()))


def falling(order: Iterable[str]) -> dict[str, float]:
    """Return scores that fall from rank to rank, so that nothing ties."""
    return {p: float(-rank) for rank, p in enumerate(order)}


def has_ties(scores: Collection[float]) -> bool:
    """Return whether two scores are equal in single precision, as for trec_eval."""
    single = np.fromiter(scores, np.float32, len(scores))
    if bool((single[1:] < single[:-1]).all()):  # a sorted list needs no search
        return False
    return len(np.unique(single)) < len(single)


def trec_order(scores: Iterable[tuple[str, float]]) -> list[str]:
    """Return passage ids in trec_eval's order: single-precision score, then id, both descending."""
    ranked = sorted(scores, key=lambda item: (np.float32(item[1]), item[0]), reverse=True)
    return [passage_id for passage_id, _ in ranked]


def averages(scores: Iterable[Score]) -> dict[str, float]:
    """Return the mean of each metric over its queries."""
    values: dict[str, list[float]] = defaultdict(list)
    for metric, _, value in scores:
        values[metric].append(value)
    return {metric: sum(numbers) / len(numbers) for metric, numbers in values.items()}


def _split(name: str) -> tuple[str, str]:
    """Split a metric's name into its family and the rest: ("nDCG", "@10")."""
    cut = min((name.find(c) for c in "@(" if c in name), default=len(name))
    return name[:cut], name[cut:]
