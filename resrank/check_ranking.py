"""Check rankings against what their reranker declares, before a run is written.

A method's counts are part of its definition: single-pass ResRank makes one call and generates no
token. If a fast path stops being used, scores stay the same, but these counts change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from resrank.io.grades import broken_grades
from resrank.ranking import Request
from resrank.records import Ranking, Usage
from resrank.reranker import Count, DeclaredCounts, Reranker


class InvariantError(ValueError):
    """A ranking breaks a rule, or a count that its reranker declares."""


def verify(
    name: str, reranker: Reranker | None, requests: Sequence[Request], rankings: Sequence[Ranking]
) -> None:
    """Raise InvariantError if a ranking breaks a rule, naming system, query and expectation.

    Each query has one ranking, in the order of the requests: a permutation of its candidates, with
    possible counts. With a reranker, its declared counts and its number of grades are checked too.
    """
    if len(rankings) != len(requests):
        raise InvariantError(
            f"system {name!r} gave {len(rankings)} rankings for {len(requests)} queries"
        )
    for (query, candidates), ranking in zip(requests, rankings, strict=True):
        broken = _order([c.passage.id for c in candidates], query.id, ranking)
        broken += _possible(ranking.usage, len(candidates))
        broken += broken_grades(ranking, reranker.grades if reranker else None)
        if reranker is not None:
            broken += _declared(ranking.usage, reranker.declared_counts(len(candidates)))
        if broken:
            raise InvariantError(
                f"system {name!r} on query {query.id!r} with {len(candidates)} candidates: "
                f"{'; '.join(broken)}"
            )


def _order(candidates: Sequence[str], query_id: str, ranking: Ranking) -> list[str]:
    if ranking.query_id != query_id:
        return [f"the ranking is of query {ranking.query_id!r}"]
    if sorted(ranking.passage_ids) == sorted(candidates):
        return []
    missing = sorted(set(candidates) - set(ranking.passage_ids))
    foreign = sorted(set(ranking.passage_ids) - set(candidates))
    return [
        f"the ranking is no permutation of the candidates: {len(ranking.passage_ids)} passages, "
        f"without {missing[:3]}, foreign {foreign[:3]}"
    ]


def _possible(usage: Usage, candidates: int) -> list[str]:
    """Name the counts that no reranker can have."""
    counts = asdict(usage)
    broken = [f"{name} is {n}, less than 0" for name, n in counts.items() if n < 0]
    limits = {
        "cached_encoder_tokens": usage.passage_encoder_tokens,
        "truncated_passages": candidates,
    }
    broken += [
        f"{name} is {counts[name]}, at most {limit} expected"
        for name, limit in limits.items()
        if counts[name] > limit
    ]
    return broken


def _declared(usage: Usage, declared: DeclaredCounts) -> list[str]:
    """Name the counts that differ from the declared ones."""
    counts = asdict(usage) | {"answers": usage.answers}
    return [
        f"{name} is {counts[name]}, {_in_words(expected)} expected"
        for name, expected in asdict(declared).items()
        if expected is not None and not _holds(counts[name], expected)
    ]


def _holds(count: int, expected: Count) -> bool:
    return count in expected if isinstance(expected, range) else count == expected


def _in_words(expected: Count) -> str:
    if isinstance(expected, range):
        return f"{expected.start} to {expected.stop - 1}"
    return str(expected)
