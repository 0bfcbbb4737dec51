"""The trace format: a written trace can be parsed, and any other text is named by its defect."""

import pytest
from transformers import AutoTokenizer

from baselines.rag_match.trace import Defect, Malformed, Trace, count_defects, parse
from resrank.model.hub import locate

TRACE = Trace.model_validate(
    {
        "grounding": {"intent": "sort", "answer_type": "function", "scope": "an array, in place",
                      "constraints": "none"},
        "alignment": {"intent_consistency": "full", "entity_fidelity": "partial",
                      "logical_completeness": "none", "information_density": "full"},
        "grade": 2,
    }
)  # fmt: skip
TEXT = TRACE.text()


def test_a_trace_is_one_line_that_can_be_parsed():
    assert TEXT == (
        "intent: sort | answer type: function | scope: an array, in place | constraints: none | "
        "intent consistency: full | entity fidelity: partial | logical completeness: none | "
        "information density: full | grade:2"
    )
    assert parse(TEXT) == TRACE
    assert TRACE.reasoning() + "2" == TEXT


def test_parsing_ignores_case_and_spaces_and_survives_the_demos_tokenizer():
    assert parse(TEXT.upper().replace(":", " : ").replace(" ", "\n")).alignment == TRACE.alignment
    tokenizer = AutoTokenizer.from_pretrained(locate("sentence-transformers/all-MiniLM-L6-v2"))
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    assert parse(tokenizer.decode(ids)) == TRACE


@pytest.mark.parametrize(
    ("text", "defect", "detail"),
    [
        (" \n", Defect.EMPTY, ""),
        (TEXT.replace("intent: sort", "sort"), Defect.NO_FIELD, "sort"),
        (f"mood: good | {TEXT}", Defect.UNKNOWN_FIELD, "mood"),
        (f"{TEXT} | grade: 1", Defect.REPEATED_FIELD, "grade"),
        (TEXT.partition(" | grade")[0], Defect.MISSING_FIELD, "grade"),
        (TEXT.replace("function", " "), Defect.NO_VALUE, "answer type"),
        (" | ".join(reversed(TEXT.split(" | "))), Defect.WRONG_ORDER, "grade, information"),
        (TEXT.replace("fidelity: partial", "fidelity: most"), Defect.UNKNOWN_LEVEL, "fidelity"),
        (TEXT[:-1] + "3", Defect.UNKNOWN_GRADE, "3"),
        (TEXT + ".5", Defect.UNKNOWN_GRADE, "2.5"),
    ],
)
def test_a_malformed_trace_is_named_by_its_defect(text, defect, detail):
    malformed = parse(text)
    assert isinstance(malformed, Malformed)
    assert malformed.defect == defect
    assert detail in malformed.detail
    assert count_defects([malformed, parse(TEXT), malformed]) == {str(defect): 2}


def test_half_a_character_is_replaced():
    assert parse(TEXT.replace("function", "a \ud800 function")).grounding.answer_type == (
        "a ? function"
    )


def test_a_bar_in_a_value_does_not_separate_parts():
    piped = TRACE.model_copy(
        update={"grounding": TRACE.grounding.model_copy(update={"scope": "a | b"})}
    )
    assert parse(piped.text()).grounding.scope == "a / b"
