"""Metrics by name. ir_measures computes them; averages run over every judged query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from resrank.records import Qrels

ALIASES = {"MRR": "RR", "Recall": "R"}
BINARY = {"RR", "R", "AP", "P", "Success", "Rprec", "SetP", "SetR", "SetF", "Bpref"}
Score = tuple[str, str, float]
"""(metric, query id, value)."""


def parse_metric(name: str, relevant_grade: int = 1) -> Any:
    """The ir_measures measure of a name such as nDCG@10, MRR@10, Recall@100, RR(rel=2)@10.

    relevant_grade: lowest grade that a binary metric counts, unless the name itself says `rel=`.
    Raises ValueError that lists the known names.
    """
    import ir_measures

    family, separator, rest = _split(name)
    try:
        measure = ir_measures.parse_measure(ALIASES.get(family, family) + separator + rest)
    except (NameError, ValueError, SyntaxError, TypeError, KeyError) as error:
        known = ", ".join(sorted({*ALIASES, *ir_measures.measures.registry}))
        raise ValueError(
            f"unknown metric {name!r}; write it as in nDCG@10 or RR(rel=2)@10; known: {known}"
        ) from error
    if relevant_grade != 1 and measure.NAME in BINARY and "rel" not in measure.params:
        measure = measure(rel=relevant_grade)
    return measure


def per_query(
    metrics: Sequence[str],
    qrels: Qrels,
    run: Mapping[str, Mapping[str, float]],
    relevant_grade: int = 1,
) -> list[Score]:
    """Every metric of every judged query; a query that the run lacks scores 0.

    A metric's ties are broken as by trec_eval: by passage id, descending.
    """
    import ir_measures

    names = {parse_metric(name, relevant_grade): name for name in metrics}
    judged = {q: dict(grades) for q, grades in qrels.items()}
    scored = {q: dict(found) for q, found in run.items() if q in judged}
    values = {
        (names[m.measure], m.query_id): float(m.value)
        for m in ir_measures.iter_calc(list(names), judged, scored)
    }
    return [(name, q, values.get((name, q), 0.0)) for name in names.values() for q in sorted(qrels)]


def averages(scores: Iterable[Score]) -> dict[str, float]:
    """Mean of each metric over its queries."""
    values: dict[str, list[float]] = defaultdict(list)
    for metric, _, value in scores:
        values[metric].append(value)
    return {metric: sum(found) / len(found) for metric, found in values.items()}


def _split(name: str) -> tuple[str, str, str]:
    places = [name.find(c) for c in "@(" if c in name]
    cut = min(places, default=len(name))
    return name[:cut], "", name[cut:]
