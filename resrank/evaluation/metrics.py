"""Metrics by name. ir_measures computes them; averages run over every judged query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from resrank.options import shown
from resrank.records import Qrels

ALIASES = {"MRR": "RR", "Recall": "R"}
BINARY = {"RR", "R", "AP", "P", "Success", "Rprec", "SetP", "SetR", "SetF", "Bpref"}
KNOWN = ["nDCG@k", "nDCG", "MRR@k (RR@k)", "MRR", "Recall@k (R@k)", "AP@k", "AP", "P@k",
         "Success@k", "Rprec", "Bpref"]  # fmt: skip
Score = tuple[str, str, float]
"""(metric, query id, value)."""


@cache
def parse_metric(name: str, relevant_grade: int = 1) -> Any:
    """The ir_measures measure of a name such as nDCG@10, MRR@10, Recall@100, RR(rel=2)@10.

    relevant_grade: lowest grade that a binary metric counts, unless the name itself says `rel=`.
    Raises ValueError that lists the known names.
    """
    import ir_measures

    family, rest = _split(name)
    try:
        measure = ir_measures.parse_measure(ALIASES.get(family, family) + rest)
        if measure.params.get("cutoff", 1) < 1:
            raise ValueError("a cut-off of at least 1 is needed")
        if relevant_grade != 1 and measure.NAME in BINARY and "rel" not in measure.params:
            measure = measure(rel=relevant_grade)
        _try_out(measure)
    except Exception as error:  # each back end fails in its own way
        said = str(error) or type(error).__name__
        raise ValueError(
            f"unknown metric {shown(name)} ({said[:200]}); write it as in nDCG@10 or "
            f"RR(rel=2)@10; known: {', '.join(KNOWN)}"
        ) from error
    return measure


@cache
def _try_out(measure: Any) -> None:
    """Compute a metric once: a name may parse though nothing installed can compute it."""
    import ir_measures

    list(ir_measures.iter_calc([measure], {"q": {"p": 1}}, {"q": {"p": 1.0}}))


def per_query(
    metrics: Sequence[str],
    qrels: Qrels,
    run: Mapping[str, Mapping[str, float]],
    relevant_grade: int = 1,
) -> list[Score]:
    """Every metric of every judged query; a query that the run lacks scores 0.

    Ties are broken as by trec_eval, here and not in ir_measures, whose back ends differ.
    """
    import ir_measures

    measures = {name: parse_metric(name, relevant_grade) for name in metrics}
    judged = {q: _safe(g) for q, g in qrels.items()}
    scored = {q: _untied(found) for q, found in run.items() if q in judged}
    values: dict[str, dict[str, float]] = {str(measure): {} for measure in measures.values()}
    for m in ir_measures.iter_calc(list(set(measures.values())), judged, scored):
        values[str(m.measure)][m.query_id] = float(m.value)
    queries = sorted(qrels)
    return [
        (name, q, values[str(measure)].get(q, 0.0))
        for name, measure in measures.items()
        for q in queries
    ]


def _safe(grades: Mapping[str, int]) -> dict[str, int]:
    """The grades; 0 in their place where all are negative, from which trec_eval would crash."""
    if max(grades.values(), default=0) < 0:
        return dict.fromkeys(grades, 0)
    return grades if isinstance(grades, dict) else dict(grades)


def _untied(found: Mapping[str, float]) -> dict[str, float]:
    """The scores as they are where no two tie, else ranks in their place.

    Most lists have no tie, and sorting them here would take longer than scoring them.
    """
    if isinstance(found, dict) and not has_ties(found.values()):
        return found
    return falling(trec_order(found.items()))


def falling(order: Iterable[str]) -> dict[str, float]:
    """Scores that fall from rank to rank: the order decides, and nothing ties."""
    return {p: float(-rank) for rank, p in enumerate(order)}


def has_ties(scores: Collection[float]) -> bool:
    """Whether two scores are equal in single precision, as for trec_eval."""
    single = np.fromiter(scores, np.float32, len(scores))
    if bool((single[1:] < single[:-1]).all()):  # at once for a list that stands in its order
        return False
    return len(np.unique(single)) < len(single)


def trec_order(found: Iterable[tuple[str, float]]) -> list[str]:
    """Passage ids in trec_eval's order: single-precision score, then id, both descending."""
    ranked = sorted(found, key=lambda item: (np.float32(item[1]), item[0]), reverse=True)
    return [passage_id for passage_id, _ in ranked]


def averages(scores: Iterable[Score]) -> dict[str, float]:
    """Mean of each metric over its queries."""
    values: dict[str, list[float]] = defaultdict(list)
    for metric, _, value in scores:
        values[metric].append(value)
    return {metric: sum(found) / len(found) for metric, found in values.items()}


def _split(name: str) -> tuple[str, str]:
    """A metric's family and the rest: ("nDCG", "@10")."""
    cut = min((name.find(c) for c in "@(" if c in name), default=len(name))
    return name[:cut], name[cut:]
