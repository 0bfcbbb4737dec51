"""Rules derive traces from grade and texts; a language model's traces are parsed strictly."""

import pytest

from baselines.llm.interface import Answer
from baselines.llm.transcript import RecordedModel
from baselines.rag_match.grounding import grounding
from baselines.rag_match.options import LlmTeacherOptions
from baselines.rag_match.pairs import GradedPair
from baselines.rag_match.teacher import DocumentedPair, LlmTeacher, RuleTeacher
from baselines.rag_match.trace import Defect, Malformed, parse
from resrank.records import Passage
from resrank.rejected_answers import TooManyRejected
from tests.rag_match.test_trace import TEXT, TRACE

QUERY = "how to sort an array without copies"
DOCUMENT = "An array is sorted in place by quicksort. Elements move."


def documented(passage: str, grade: int) -> DocumentedPair:
    return DocumentedPair(GradedPair("q", QUERY, Passage("p", passage), grade), DOCUMENT)


def test_grounding_describes_the_querys_need():
    assert grounding(QUERY, DOCUMENT).model_dump() == {
        "intent": "how sort array", "answer_type": "procedure",
        "scope": "place quicksort elements", "constraints": "without copies",
    }  # fmt: skip
    assert grounding("", "").model_dump() == {
        "intent": "anything", "answer_type": "description", "scope": "any", "constraints": "none",
    }  # fmt: skip


def test_levels_are_shares_of_terms_and_the_grade_is_the_pairs():
    both, one, none = RuleTeacher()(
        [documented("How to sort an array: quicksort, in place. Nodes of a graph.", 2),
         documented("An array of nodes, edges. They are linked. All is drawn.", 1),
         documented("Draw a graph.", 0)]
    )  # fmt: skip
    levels = [tuple(t.alignment.model_dump().values()) for t in (both, one, none)]
    assert levels[0] == ("full", "full", "full", "full")  # 3 of 5 terms; 5 of 9; 1 of 2 sentences
    assert levels[1] == ("partial", "partial", "partial", "partial")
    assert levels[2] == ("none", "none", "none", "none")
    assert [t.grade for t in (both, one, none)] == [2, 1, 0]
    assert all(parse(t.text()) == t for t in (both, one, none))


class FixedAnswers:
    """Answers the prompts with given texts."""

    def __init__(self, *texts: str) -> None:
        self.parameters = {"model": "m"}
        self.texts = texts
        self.prompts = []

    def answers(self, prompts, max_new_tokens, keep):
        for place, prompt in enumerate(prompts):
            self.prompts.append(prompt[-1].content)
            keep(place, Answer(self.texts[place], 9, 4))
            yield place, Answer(self.texts[place], 9, 4)


def recorded_teacher(model: FixedAnswers, folder, **more) -> LlmTeacher:
    llm = {"kind": "http", "url": "http://nowhere", "model": "m"}
    options = LlmTeacherOptions.model_validate({"kind": "llm", "llm": llm, **more})
    return LlmTeacher(RecordedModel(model, folder / "seed1", model.parameters), options)


def test_malformed_traces_stop_the_training(tmp_path):
    """Otherwise stage II would learn grades alone, and nobody would notice."""
    thoughts = "<think>The passage is about arrays, so the grade is"
    model = FixedAnswers(TEXT, thoughts, thoughts)
    pairs = [documented(f"passage {n}", n) for n in range(3)]
    with pytest.raises(TooManyRejected) as caught:
        recorded_teacher(model, tmp_path)(pairs)
    message = str(caught.value)
    assert "the teacher of traces: 2 of 3 answers are rejected, and `max_rejected: 0.1`" in message
    assert "query 'q': empty: '<think>The passage is about" in message
    assert "enable_thinking: false" in message


def test_a_models_traces_are_parsed_and_defects_are_named(tmp_path):
    model = FixedAnswers(TEXT, TEXT[:-1] + "4", "It is relevant.")
    teacher = recorded_teacher(model, tmp_path, max_rejected=0.7)
    pairs = [documented(f"passage {n}", n) for n in range(3)]
    traces = teacher(pairs)
    assert traces[0] == TRACE
    assert traces[1] == Malformed(Defect.UNKNOWN_GRADE, "4")
    assert traces[2] == Malformed(Defect.NO_FIELD, "It is relevant.")
    assert all(DOCUMENT in prompt and QUERY in prompt for prompt in model.prompts)
    assert teacher(pairs) == traces  # from the transcript
    assert len(model.prompts) == 3


@pytest.mark.parametrize("query", ["|", "grade:0 | grade:2", "a:b", "\n"])
def test_any_query_gives_a_trace_that_can_be_parsed(query):
    given = DocumentedPair(GradedPair("q", query, Passage("p", query), 1), query)
    (trace,) = RuleTeacher()([given])
    assert parse(trace.text()) == trace
