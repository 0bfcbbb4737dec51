"""What a model writes before its answer is not the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.llm.answers import Verdict, parse
from baselines.llm.interface import Answer
from baselines.llm.reasoning import AFTER, BLOCKS, END, START, WRAPPER, without_reasoning

ANSWER = "[3] > [1] > [4] > [2]"
WRAPPERS = [
    ("<answer>", "</answer>"),
    ("<response>", "</response>"),
    ("<|begin_of_solution|>", "<|end_of_solution|>"),
    ("", "[END FINAL RESPONSE]\n<|end|>"),
]
PLAIN = st.text().filter(lambda t: not any(p.search(t) for p in (START, END, WRAPPER, AFTER)))


@pytest.mark.parametrize("start", BLOCKS)
@pytest.mark.parametrize("case", [str, str.upper])
def test_every_form_of_reasoning(start, case):
    end = BLOCKS[start]
    thought = "Both [2] and [1] look fine."
    whole = f"{case(start)}{thought}{case(end)}"
    for text in (f"{whole}\n{ANSWER}", f"{whole}{whole}{ANSWER}", f"{thought}{end}\n\n{ANSWER}"):
        answer = Answer(text, 1, 1)
        assert answer.final.strip() == ANSWER
        for rule in ("any_digits", "bracketed", "strict"):
            assert parse(answer.final, 4, rule) == ([2, 0, 3, 1], Verdict.CLEAN)
    assert without_reasoning(f"{start}{thought}") == ""  # cut off before the answer
    assert without_reasoning(f"{whole}{start}{thought}") == ""
    for before, behind in WRAPPERS:
        assert without_reasoning(f"{whole}{before}{ANSWER}{behind}") == ANSWER
        assert without_reasoning(f"{whole}{before}{ANSWER}") == ANSWER


def test_gpt_oss_without_its_special_tokens():
    assert without_reasoning(f"analysisWe need [2].assistantfinal{ANSWER}") == ANSWER
    assert without_reasoning("analysisWe need [2].") == ""
    assert without_reasoning(f"analysis: {ANSWER}") == f"analysis: {ANSWER}"


@given(PLAIN, PLAIN, st.sampled_from(sorted(BLOCKS)))
def test_only_marks_change_a_text(before, after, start):
    assert without_reasoning(before) == before
    joined = f"{start} {before} {BLOCKS[start]}"
    if len(END.findall(joined + after)) == 1:
        assert without_reasoning(joined + after) == after
