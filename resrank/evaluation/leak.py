"""Leak audit: how much of a trained system's score could be memory of its training positives.

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
CandidatesByQuery = Mapping[str, Sequence[Candidate]]


def training_positives(
    qrels: Qrels, passages: Mapping[str, Passage], relevant_grade: int
) -> Counter[str]:
    """Count how often each text was a positive in training."""
    return Counter(
        passages[p].text
        for grades in qrels.values()
        for p, grade in grades.items()
        if grade >= relevant_grade and p in passages
    )


def audit(
    run: Mapping[str, Mapping[str, float]],
    qrels: Qrels,
    candidates: CandidatesByQuery,
    passages: Mapping[str, Passage],
    seen: Mapping[str, int],
    relevant_grade: int,
) -> dict[str, Any]:
    """Return the overlap, scores of query-blind priors, and the score without overlap (nDCG@10).

    seen: text -> times it was a training positive. A query is free of overlap if none of its
    relevant passages was a training positive. Scores over no query are None.
    """
    positives = {
        q: {p for p, g in grades.items() if g >= relevant_grade} for q, grades in qrels.items()
    }
    texts = {p: passages[p].text for ids in positives.values() for p in ids if p in passages}
    leaked = {p for p, text in texts.items() if seen.get(text)}
    clean = {q: qrels[q] for q, ids in positives.items() if not ids & leaked}
    first_stage = _scored(candidates, lambda place, c: -place)
    return {
        "test_positives": len(texts),
        "test_positives_seen_in_training": len(leaked),
        "overlap": len(leaked) / len(texts) if texts else 0.0,
        "queries_without_overlap": len(clean),
        "score": _mean(qrels, run),
        "score_without_overlap": _mean(clean, run),
        "first_stage_score": _mean(qrels, first_stage),
        "first_stage_score_without_overlap": _mean(clean, first_stage),
        "prior_alone": _mean(qrels, _scored(candidates, lambda _, c: _prior(c, seen))),
        "prior_over_first_stage": _mean(
            qrels, _scored(candidates, lambda place, c: (c.passage.text in seen) * 1e6 - place)
        ),
    }


def _scored(candidates: CandidatesByQuery, score: Any) -> dict[str, dict[str, float]]:
    """Score each candidate by its place in the list and its record."""
    return {
        q: {c.passage.id: float(score(place, c)) for place, c in enumerate(ranked)}
        for q, ranked in candidates.items()
    }


def _prior(candidate: Candidate, seen: Mapping[str, int]) -> float:
    """Return the times seen as a positive; ties in an order unrelated to the query."""
    digest = hashlib.sha256(candidate.passage.id.encode("utf-8", "surrogatepass")).digest()
    return seen.get(candidate.passage.text, 0) + int.from_bytes(digest[:6]) / 2**48


def _mean(qrels: Qrels, run: Mapping[str, Mapping[str, float]]) -> float | None:
    return averages(per_query([METRIC], qrels, run))[METRIC] if qrels else None
