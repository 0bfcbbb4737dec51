"""Stage III's preferences: the better of two trajectories where the model is wrong by one grade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from baselines.rag_match.alignment import taught
from baselines.rag_match.judge import Judge
from baselines.rag_match.pairs import Pair
from baselines.rag_match.teacher import Teaches
from baselines.rag_match.trace import OPENING, Malformed, Trace, defects


class Preference(NamedTuple):
    """The teacher's trajectory to the right grade, and the model's own to the one beside it."""

    pair: Pair
    chosen: str
    rejected: str


class Trajectory(NamedTuple):
    """What the model answers for a pair, and the grade in it; None if it is malformed."""

    text: str
    grade: int | None
    parsed: Trace | Malformed | None


def trajectories(judge: Judge, pairs: Sequence[Pair], *, traces: bool) -> list[Trajectory]:
    """What the model as it is answers for each pair: a trace, or the likeliest grade alone."""
    prompts = [judge.show(pair.query, pair.passage.text).prompt for pair in pairs]
    if not traces:
        found, _ = judge.grade(prompts, [OPENING] * len(prompts))
        grades = found.argmax(dim=-1).tolist()
        return [Trajectory(f"{OPENING}{grade}", grade, None) for grade in grades]
    written = [reasoned.trace for reasoned in judge.write(prompts)]
    return [
        Trajectory(t.text(), t.grade, t) if isinstance(t, Trace) else Trajectory("", None, t)
        for t in written
    ]


def preferences(
    pairs: Sequence[Pair], answers: Sequence[Trajectory], documents: Mapping[str, str],
    teacher: Teaches | None,
) -> tuple[list[Preference], dict[str, Any]]:  # fmt: skip
    """The preferences, and how the model's answers were found to be.

    teacher: None where a trajectory is the grade alone. An adjacent error for which it writes no
    trace to the right grade gives no preference.
    """
    off = [
        None if a.grade is None else a.grade - p.grade for p, a in zip(pairs, answers, strict=True)
    ]
    wrong = [place for place, by in enumerate(off) if by in (-1, 1)]
    errors = [pairs[place] for place in wrong]
    right: Sequence[str | None] = [f"{OPENING}{pair.grade}" for pair in errors]
    counts: dict[str, Any] = {
        "judged": len(pairs), "right": off.count(0), "one_above": off.count(1),
        "one_below": off.count(-1), "further": sum(by in (-2, 2) for by in off),
        "malformed": off.count(None),
        "defects": defects([a.parsed for a in answers if a.parsed is not None]),
    }  # fmt: skip
    if teacher is not None and errors:
        right, _ = taught(errors, documents, teacher)
    found = [
        Preference(pair, chosen, answers[place].text)
        for pair, chosen, place in zip(errors, right, wrong, strict=True)
        if chosen is not None
    ]
    return found, counts | {"preferences": len(found)}
