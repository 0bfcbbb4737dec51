"""What must hold of every ranking, whatever its scores: checked before a run is written.

A method's counts are part of what it is: single-pass ResRank is one call and no generated token. A
fast path that is lost unnoticed leaves scores as they were, and changes these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from resrank.io.grades import broken_grades
from resrank.records import Ranking, Usage
from resrank.reranker import Count, Declares, Expected, GivesGrades, Request


class InvariantError(ValueError):
    """A ranking is not what its system says that it must be."""


def verify(
    name: str, reranker: object, requests: Sequence[Request], rankings: Sequence[Ranking]
) -> None:
    """Raise InvariantError, with system, query, found and expected, if something does not hold.

    Of every system: a ranking a query, in their order, each a permutation of its candidates, and a
    ledger that is possible; of one that declares them, its counts; of one that gives grades, and of
    no other, probabilities of each.
    """
    if len(rankings) != len(requests):
        raise InvariantError(
            f"system {name!r} gave {len(rankings)} rankings for {len(requests)} queries"
        )
    for (query, candidates), ranking in zip(requests, rankings, strict=True):
        broken = _order([c.passage.id for c in candidates], query.id, ranking)
        broken += _ledger(ranking.usage, len(candidates))
        broken += broken_grades(
            ranking, reranker.grades if isinstance(reranker, GivesGrades) else None
        )
        if isinstance(reranker, Declares):
            broken += _counts(ranking.usage, reranker.expects(len(candidates)))
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
    lacking = sorted(set(candidates) - set(ranking.passage_ids))
    foreign = sorted(set(ranking.passage_ids) - set(candidates))
    return [
        f"the ranking is no permutation of the candidates: {len(ranking.passage_ids)} passages, "
        f"without {lacking[:3]}, foreign {foreign[:3]}"
    ]


def _ledger(usage: Usage, candidates: int) -> list[str]:
    """What no system can have counted."""
    broken = [f"{name} is {n}, less than 0" for name, n in asdict(usage).items() if n < 0]
    for name, most in (
        ("cached_encoder_tokens", usage.passage_encoder_tokens),
        ("truncated_passages", candidates),
    ):
        if getattr(usage, name) > most:
            broken.append(f"{name} is {getattr(usage, name)}, at most {most} expected")
    return broken


def _counts(usage: Usage, expected: Expected) -> list[str]:
    found = asdict(usage)
    return [
        f"{name} is {found[name]}, {_said(wanted)} expected"
        for name, wanted in asdict(expected).items()
        if wanted is not None and not _holds(found[name], wanted)
    ]


def _holds(found: int, wanted: Count) -> bool:
    return found in wanted if isinstance(wanted, range) else found == wanted


def _said(wanted: Count) -> str:
    return f"{wanted.start} to {wanted.stop - 1}" if isinstance(wanted, range) else str(wanted)
