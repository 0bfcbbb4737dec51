"""The leak audit: how much of a trained system's score could be memory of its training positives.

Passages are compared by text, so that training on one collection and testing on another is audited
too. Source: design notes on SciFact, where 65% of the test positives are training positives.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from resrank.evaluation.metrics import averages, per_query
from resrank.records import Candidate, Passage, Qrels

METRIC = "nDCG@10"
Lists = Mapping[str, Sequence[Candidate]]


def training_positives(
    qrels: Qrels, passages: Mapping[str, Passage], relevant_grade: int
) -> Counter[str]:
    """How often each text was a positive in training."""
    return Counter(
        passages[p].text
        for grades in qrels.values()
        for p, grade in grades.items()
        if grade >= relevant_grade and p in passages
    )


def audit(
    run: Mapping[str, Mapping[str, float]],
    qrels: Qrels,
    candidates: Lists,
    passages: Mapping[str, Passage],
    seen: Mapping[str, int],
    relevant_grade: int,
) -> dict[str, Any]:
    """Overlap, the scores of query-blind priors, and the score without the overlap (nDCG@10).

    seen: text -> times it was a training positive. A query is free of overlap if none of its
    relevant passages was one. Scores over no query are None.
    """
    positives = {
        q: {p for p, g in grades.items() if g >= relevant_grade} for q, grades in qrels.items()
    }
    texts = {p: passages[p].text for found in positives.values() for p in found if p in passages}
    leaked = {p for p, text in texts.items() if seen.get(text)}
    clean = {q: qrels[q] for q, found in positives.items() if not found & leaked}
    first_stage = _by(candidates, lambda place, c: -place)
    return {
        "test_positives": len(texts),
        "test_positives_seen_in_training": len(leaked),
        "overlap": len(leaked) / len(texts) if texts else 0.0,
        "queries_without_overlap": len(clean),
        "score": _mean(qrels, run),
        "score_without_overlap": _mean(clean, run),
        "first_stage_score": _mean(qrels, first_stage),
        "first_stage_score_without_overlap": _mean(clean, first_stage),
        "prior_alone": _mean(qrels, _by(candidates, lambda _, c: _prior(c, seen))),
        "prior_over_first_stage": _mean(
            qrels, _by(candidates, lambda place, c: (c.passage.text in seen) * 1e6 - place)
        ),
    }


def _by(candidates: Lists, score: Any) -> dict[str, dict[str, float]]:
    return {
        q: {c.passage.id: float(score(place, c)) for place, c in enumerate(found)}
        for q, found in candidates.items()
    }


def _prior(candidate: Candidate, seen: Mapping[str, int]) -> float:
    """Times seen as a positive; ties in an order that has nothing to do with the query."""
    digest = hashlib.sha256(candidate.passage.id.encode("utf-8", "surrogatepass")).digest()
    return seen.get(candidate.passage.text, 0) + int.from_bytes(digest[:6]) / 2**48


def _mean(qrels: Qrels, run: Mapping[str, Mapping[str, float]]) -> float | None:
    return averages(per_query([METRIC], qrels, run))[METRIC] if qrels else None
