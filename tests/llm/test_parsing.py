import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.llm.answers import Verdict, parse

CLEAN, REPAIRED, REJECTED = Verdict.CLEAN, Verdict.REPAIRED, Verdict.REJECTED


@pytest.mark.parametrize(
    ("answer", "rule", "places", "verdict"),
    [
        ("[2] > [1] > [3]", "any_digits", [1, 0, 2], CLEAN),
        ("[2]>[1]>[3]\n", "strict", [1, 0, 2], CLEAN),
        ("2] > [1] > [3]", "any_digits", [1, 0, 2], REPAIRED),
        ("2] > [1] > [3]", "bracketed", [0, 2, 1], REPAIRED),
        ("2] > [1] > [3]", "strict", [0, 1, 2], REJECTED),
        ("[3] > [3]", "any_digits", [2, 0, 1], REPAIRED),
        ("[3] > [999]", "any_digits", [2, 0, 1], REPAIRED),
        ("[0] > [4]", "bracketed", [0, 1, 2], REJECTED),
        ("I cannot rank these.", "any_digits", [0, 1, 2], REJECTED),
        ("Sure: [2] > [1] > [3]", "bracketed", [1, 0, 2], REPAIRED),
        ("", "any_digits", [0, 1, 2], REJECTED),
        ("9" * 5000, "any_digits", [0, 1, 2], REJECTED),
    ],
)
def test_rules(answer, rule, places, verdict):
    assert parse(answer, 3, rule) == (places, verdict)


@given(st.text(), st.integers(1, 25), st.sampled_from(["any_digits", "bracketed", "strict"]))
def test_any_text_gives_a_permutation(answer, size, rule):
    assert sorted(parse(answer, size, rule).places) == list(range(size))


@given(st.permutations(range(7)))
def test_a_clean_answer_gives_its_permutation(places):
    answer = " > ".join(f"[{p + 1}]" for p in places)
    for rule in ("any_digits", "bracketed", "strict"):
        assert parse(answer, 7, rule) == (places, CLEAN)
