"""Pairs are drawn from graded passages: balanced to learn grades, as ranked to collect errors."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from baselines.rag_match.pairs import as_ranked, balanced, check_graded, graded_pairs
from resrank.records import Passage
from tests.rag_match.examples import examples


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_only_graded_passages_with_a_text_are_pairs():
    (given,) = examples(1)
    missed = Passage("missed", "a relevant one that the first stage missed")
    graded = {"0-0": 0, "0-2": 2, "missed": 2, "nowhere": 1}
    example = dataclasses.replace(given, positives=[missed], graded=graded)
    grades = {pair.passage.id: pair.grade for pair in graded_pairs(example)}
    assert grades == {"0-0": 0, "0-2": 2, "missed": 2}


def test_grades_take_turns_until_they_run_out():
    (given,) = examples(1, size=9)
    graded = dict.fromkeys(given.graded, 0) | {"0-2": 2, "0-1": 1, "0-4": 1}
    example = dataclasses.replace(given, graded=graded)
    assert Counter(p.grade for p in balanced([example], 3, rng())) == {0: 1, 1: 1, 2: 1}
    assert Counter(p.grade for p in balanced([example], 6, rng())) == {0: 3, 1: 2, 2: 1}
    assert len(balanced([example], 99, rng())) == 9
    assert len({p.passage.id for p in balanced([example], 99, rng())}) == 9


def test_pairs_as_ranked_keep_the_shares_of_grades_and_are_repeatable():
    given = examples(60, size=9)
    drawn = as_ranked(given, 4, rng(1))
    assert drawn == as_ranked(given, 4, rng(1))
    assert len(drawn) == 240
    shares = Counter(p.grade for p in drawn)
    assert all(abs(shares[grade] - 80) < 25 for grade in range(3))


def test_an_error_about_missing_grades_names_the_key_to_set():
    given = [dataclasses.replace(e, graded={}) for e in examples(2)]
    with pytest.raises(ValueError, match="none of 2 training queries .* `grades_from: "):
        check_graded(given)
    check_graded(examples(1))
