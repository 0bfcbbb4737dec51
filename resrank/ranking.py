"""Turn scores, or the orders of windows, into rankings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resrank.phases import phase
from resrank.records import Candidate, Query, Ranking, Usage
from resrank.windows import Window, slide

Request = tuple[Query, Sequence[Candidate]]
"""A query with its candidates, in the first stage's order."""
Listed = tuple[int, int]
"""A passage in a batch of requests: (index of the request, index among its candidates)."""
WindowOrder = Callable[[Sequence[Sequence[Listed]]], Sequence[Sequence[int]]]
"""Takes windows, and returns each window's indices, best first."""


def ranked(
    query: Query,
    candidates: Sequence[Candidate],
    scores: ArrayLike,
    usage: Usage,
    grade_probabilities: ArrayLike | None = None,
) -> Ranking:
    """Return the candidates in order of their scores; ties keep the first stage's order.

    scores: (n,), one per candidate.
    grade_probabilities: (n, grades), from a reranker that judges each candidate.
    Raises ValueError on a non-finite score, naming the passage.
    """
    values = np.asarray(scores, dtype=np.float64)
    _check_scores(query, candidates, values)
    grades = None if grade_probabilities is None else np.asarray(grade_probabilities, np.float64)
    if grades is not None and candidates and (len(grades), grades.ndim) != (len(candidates), 2):
        raise ValueError(
            f"{len(candidates)} candidates but grade probabilities of shape {grades.shape}"
        )
    with phase("score"):
        order = np.argsort(-values, kind="stable")
    return Ranking(
        query_id=query.id,
        passage_ids=tuple(candidates[i].passage.id for i in order),
        scores=tuple(float(values[i]) for i in order),
        usage=usage,
        grade_probabilities=None if grades is None else tuple(map(tuple, grades[order].tolist())),
    )


def _check_scores(
    query: Query, candidates: Sequence[Candidate], scores: NDArray[np.float64]
) -> None:
    if scores.shape != (len(candidates),):
        raise ValueError(f"{len(candidates)} candidates but scores of shape {scores.shape}")
    if not np.isfinite(scores).all():
        index = int(np.flatnonzero(~np.isfinite(scores))[0])
        raise ValueError(
            f"query {query.id!r}: score {scores[index]} for passage "
            f"{candidates[index].passage.id!r}; a reranker must return finite scores"
        )


def by_windows(
    requests: Sequence[Request], window: Window, usages: Sequence[Usage], order: WindowOrder
) -> list[Ranking]:
    """Rank each request's candidates window by window.

    order: gets the windows of one round of all requests together, so that a model can batch them.
    usages: what each ranking consumes; `order` may keep adding to them.
    """
    lists = [[(i, place) for place in range(len(c))] for i, (_, c) in enumerate(requests)]
    reordered = slide(lists, window, order)
    return [
        ranked(query, candidates, _scores_of(members), usage)
        for (query, candidates), members, usage in zip(requests, reordered, usages, strict=True)
    ]


def _scores_of(members: Sequence[Listed]) -> list[float]:
    """Return scores for candidates in first-stage order, given their new order."""
    scores = [0.0] * len(members)
    for rank, (_, place) in enumerate(members):
        scores[place] = float(len(members) - rank)
    return scores
