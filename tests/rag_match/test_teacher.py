"""The teacher of rules reads its traces off grade and texts; a model's are parsed, never trusted."""

import pytest

from baselines.llm.interface import Answer
from baselines.llm.transcript import Recorded
from baselines.rag_match.pairs import Pair
from baselines.rag_match.teacher import Asked, ByModel, ByRules, grounding
from baselines.rag_match.trace import Defect, Malformed, parse
from resrank.records import Passage
from tests.rag_match.test_trace import TEXT, TRACE

QUERY = "how to sort an array without copies"
DOCUMENT = "An array is sorted in place by quicksort. Elements move."


def asked(passage: str, grade: int) -> Asked:
    return Asked(Pair("q", QUERY, Passage("p", passage), grade), DOCUMENT)


def test_grounding_names_what_is_asked_for():
    found = grounding(QUERY, DOCUMENT)
    assert found.model_dump() == {
        "intent": "how sort array", "answer_type": "procedure",
        "scope": "place quicksort elements", "constraints": "without copies",
    }  # fmt: skip
    assert grounding("", "").model_dump() == {
        "intent": "anything", "answer_type": "description", "scope": "any", "constraints": "none",
    }  # fmt: skip


def test_levels_are_shares_of_terms_and_the_grade_is_the_pairs():
    both, one, none = ByRules()(
        [asked("How to sort an array: quicksort, in place. Nodes of a graph.", 2),
         asked("An array of nodes, edges. They are linked. All is drawn.", 1),
         asked("Draw a graph.", 0)]
    )  # fmt: skip
    levels = [tuple(t.alignment.model_dump().values()) for t in (both, one, none)]
    assert levels[0] == ("full", "full", "full", "full")  # 3 of 5 terms; 5 of 9; 1 of 2 sentences
    assert levels[1] == ("partial", "partial", "partial", "partial")
    assert levels[2] == ("none", "none", "none", "none")
    assert [t.grade for t in (both, one, none)] == [2, 1, 0]
    assert all(parse(t.text()) == t for t in (both, one, none))


class Says:
    """Answers every prompt with the next of some texts."""

    def __init__(self, *texts: str) -> None:
        self.parameters = {"model": "m"}
        self.texts = texts
        self.prompts = []

    def answers(self, prompts, max_new_tokens, keep):
        for place, prompt in enumerate(prompts):
            self.prompts.append(prompt[-1].content)
            keep(place, Answer(self.texts[place], 9, 4))
            yield place, Answer(self.texts[place], 9, 4)


def test_a_models_traces_are_parsed_and_its_unknown_grade_is_named(tmp_path):
    model = Says(TEXT, TEXT[:-1] + "4", "It is relevant.")
    teacher = ByModel(Recorded(model, tmp_path / "seed1", model.parameters), 64)
    pairs = [asked(f"passage {n}", n) for n in range(3)]
    found = teacher(pairs)
    assert found[0] == TRACE
    assert found[1] == Malformed(Defect.UNKNOWN_GRADE, "4")
    assert found[2] == Malformed(Defect.NO_FIELD, "It is relevant.")
    assert all(DOCUMENT in said and QUERY in said for said in model.prompts)
    assert teacher(pairs) == found  # from the transcript
    assert len(model.prompts) == 3


@pytest.mark.parametrize("query", ["|", "grade:0 | grade:2", "a:b", "\n"])
def test_any_query_gives_a_trace_that_is_read_again(query):
    given = Asked(Pair("q", query, Passage("p", query), 1), query)
    (trace,) = ByRules()([given])
    assert parse(trace.text()) == trace
