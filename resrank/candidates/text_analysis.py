"""Text analysis as Lucene's EnglishAnalyzer does it, the one behind the published BM25 scores.

Lower case, possessive `'s` stripped, Lucene's 33 stop words dropped, Porter's stemmer; tokens
under three characters are left unstemmed, as by Lucene's Porter filter.
"""

from __future__ import annotations

import re
from functools import lru_cache

import Stemmer

# Letters and digits, joined inside by ' . or _ as by Unicode's word rules (can't, 3.5, snake_case).
TOKEN = re.compile(r"\w+(?:(?:'|’(?=\w))\w+|\.(?=\d)(?<=\d\.)\d\w*|\.(?<=[^\W\d]\.)[^\W\d]\w*)*")
STOP_WORDS = frozenset(
    """
    a an and are as at be but by for if in into is it no not of on or such that the their then there
    these they this to was will with
    """.split()  # noqa: SIM905 - a sentence is easier to check against Lucene's list
)
_STEMMER = Stemmer.Stemmer("porter", 0)


def analyse(text: str) -> list[str]:
    """The index terms of a text, in order."""
    words = (_possessive(word) for word in TOKEN.findall(text.lower()))
    return [_stem(word) for word in words if word and word not in STOP_WORDS]


def _possessive(word: str) -> str:
    return word[:-2] if word.endswith(("'s", "’s")) else word


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    return word if len(word) < 3 else _STEMMER.stemWord(word)
