"""Stage III's preferences: the better of two trajectories where the model errs by one grade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from baselines.rag_match.judge import Judge
from baselines.rag_match.pairs import GradedPair
from baselines.rag_match.teacher import TraceTeacher
from baselines.rag_match.trace import OPENING, Malformed, Trace, count_defects
from baselines.rag_match.usable_traces import usable_traces


class Preference(NamedTuple):
    """A pair with the teacher's trajectory to its grade and the model's to an adjacent grade."""

    pair: GradedPair
    chosen: str
    rejected: str


class Trajectory(NamedTuple):
    """The model's answer for a pair, and the grade in it, None if the answer is malformed.

    parsed: the answer as a trace; None where the model writes a grade alone.
    """

    text: str
    grade: int | None
    parsed: Trace | Malformed | None


def trajectories(judge: Judge, pairs: Sequence[GradedPair], *, traces: bool) -> list[Trajectory]:
    """Return the model's current answer per pair: a trace, or the likeliest grade alone."""
    prompts = [judge.prompt_of(pair.query, pair.passage.text).prompt for pair in pairs]
    if not traces:
        probabilities, _ = judge.grade(prompts, [OPENING] * len(prompts))
        grades = probabilities.argmax(dim=-1).tolist()
        return [Trajectory(f"{OPENING}{grade}", grade, None) for grade in grades]
    written = [reasoned.trace for reasoned in judge.write(prompts)]
    return [
        Trajectory(t.text(), t.grade, t) if isinstance(t, Trace) else Trajectory("", None, t)
        for t in written
    ]


def preferences(
    pairs: Sequence[GradedPair],
    answers: Sequence[Trajectory],
    documents: Mapping[str, str],
    teacher: TraceTeacher | None,
) -> tuple[list[Preference], dict[str, Any]]:
    """Return the preferences, and the counts of right, wrong and malformed answers.

    answers: the model's, one per pair. teacher: None where a trajectory is the grade alone. An
    adjacent error gives no preference if the teacher writes no trace to the right grade.
    """
    errors = [
        None if answer.grade is None else answer.grade - pair.grade
        for pair, answer in zip(pairs, answers, strict=True)
    ]
    adjacent = [place for place, error in enumerate(errors) if error in (-1, 1)]
    wrong = [pairs[place] for place in adjacent]
    right: Sequence[str | None] = [f"{OPENING}{pair.grade}" for pair in wrong]
    if teacher is not None and wrong:
        right, _ = usable_traces(wrong, documents, teacher)
    preferred = [
        Preference(pair, chosen, answers[place].text)
        for pair, chosen, place in zip(wrong, right, adjacent, strict=True)
        if chosen is not None
    ]
    return preferred, _counts(errors, answers) | {"preferences": len(preferred)}


def _counts(errors: Sequence[int | None], answers: Sequence[Trajectory]) -> dict[str, Any]:
    """Count the answers by their error in grades, None where an answer is malformed."""
    return {
        "judged": len(errors),
        "right": errors.count(0),
        "one_above": errors.count(1),
        "one_below": errors.count(-1),
        "further": sum(error in (-2, 2) for error in errors),
        "malformed": errors.count(None),
        "defects": count_defects([a.parsed for a in answers if a.parsed is not None]),
    }
