"""The index terms of a text: the analysers of BM25.

`english` is Lucene's EnglishAnalyzer, the one behind the published BM25 scores: lower case,
possessive `'s` stripped, Lucene's 33 stop words dropped, Porter's stemmer; tokens under three
characters are left unstemmed, as by Lucene's Porter filter. The others drop and stem nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal

import Stemmer

from resrank.candidates.words import icu_words, words

Analyser = Literal["english", "unicode", "icu"]
STOP_WORDS = frozenset(
    """
    a an and are as at be but by for if in into is it no not of on or such that the their then there
    these they this to was will with
    """.split()  # noqa: SIM905 - a sentence is easier to check against Lucene's list
)
_STEMMER = Stemmer.Stemmer("porter", 0)


def analyse(text: str) -> list[str]:
    """Return the English index terms of a text, in order."""
    plain = map(_possessive, words(text))
    return [_stem(word) for word in plain if word and word not in STOP_WORDS]


def _possessive(word: str) -> str:
    return word[:-2] if word.endswith(("'s", "’s")) else word


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    return word if len(word) < 3 else _STEMMER.stemWord(word)


ANALYSERS: Mapping[Analyser, Callable[[str], list[str]]] = {
    "english": analyse,
    "unicode": words,
    "icu": icu_words,
}
"""Name -> the function that returns a text's index terms, in order."""
