"""Only adjacent errors give preferences, and every answer is counted by its error."""

from types import SimpleNamespace

import pytest
import torch

from baselines.llm.interface import Answer
from baselines.rag_match.judge import Reasoned
from baselines.rag_match.pairs import GradedPair
from baselines.rag_match.preferences import Trajectory, preferences, trajectories
from baselines.rag_match.teacher import DocumentedPair, RuleTeacher
from baselines.rag_match.trace import Defect, Malformed
from resrank.records import Passage
from tests.rag_match.test_trace import TRACE

PAIRS = [GradedPair("q", "sort", Passage(f"p{n}", f"passage {n}"), n % 3) for n in range(6)]


def answer(grade):
    if grade is None:
        return Trajectory("", None, Malformed(Defect.EMPTY, ""))
    trace = TRACE.model_copy(update={"grade": grade})
    return Trajectory(trace.text(), grade, trace)


def test_adjacent_errors_give_preferences_and_all_are_counted():
    grades = [0, 2, 0, 1, None, 1]  # of pairs of grades 0, 1, 2, 0, 1, 2
    preferred, counts = preferences(PAIRS, [answer(g) for g in grades], {}, RuleTeacher())
    assert [p.pair for p in preferred] == [PAIRS[1], PAIRS[3], PAIRS[5]]
    for preference in preferred:
        (right,) = RuleTeacher()([DocumentedPair(preference.pair, "")])
        assert preference.chosen == right.text()
        assert preference.chosen.endswith(f"grade:{preference.pair.grade}")
    assert preferred[0].rejected == answer(2).text
    assert counts == {
        "judged": 6, "right": 1, "one_above": 2, "one_below": 1, "further": 1, "malformed": 1,
        "defects": {"empty": 1}, "preferences": 3,
    }  # fmt: skip


def test_an_error_without_a_usable_trace_gives_no_preference():
    def teacher(pairs):
        return [Malformed(Defect.EMPTY, ""), *RuleTeacher()(pairs[1:])]

    preferred, counts = preferences(PAIRS[:2], [answer(1), answer(2)], {}, teacher)
    assert [p.pair for p in preferred] == [PAIRS[1]]
    assert (counts["one_above"], counts["preferences"]) == (2, 1)


def test_without_a_teacher_a_trajectory_is_the_grade_alone():
    answers = [Trajectory(f"grade:{g}", g, None) for g in (1, 1)]
    preferred, _ = preferences(PAIRS[:2], answers, {}, None)
    assert [(p.chosen, p.rejected) for p in preferred] == [("grade:0", "grade:1")]
    assert preferences(PAIRS[:1], [answers[0]._replace(grade=0)], {}, RuleTeacher())[0] == []


@pytest.mark.parametrize("traces", [True, False])
def test_a_trajectory_is_the_models_trace_or_its_likeliest_grade(traces):
    written = [TRACE, Malformed(Defect.EMPTY, "")]
    judge = SimpleNamespace(
        prompt_of=lambda query, passage: SimpleNamespace(prompt=f"{query} {passage}"),
        write=lambda prompts: [Reasoned(w, Answer("", 1, 1)) for w in written],
        grade=lambda prompts, openings: (torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]]), []),
    )
    answers = trajectories(judge, PAIRS[:2], traces=traces)
    assert [t.grade for t in answers] == ([2, None] if traces else [1, 2])
    assert [t.text for t in answers] == ([TRACE.text(), ""] if traces else ["grade:1", "grade:2"])
