"""The words, index terms and sentences of a text, as the rules compare them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from resrank.candidates import words as tokens
from resrank.candidates.text_analysis import STOP_WORDS, analyse

SENTENCE = re.compile(r"(?<=[.!?])\s+")


def words(text: str) -> list[str]:
    """Return a text's distinct words in lower case and in their order, without stop words."""
    return list(dict.fromkeys(w for w in tokens.words(text) if w not in STOP_WORDS))


def terms(text: str | Iterable[str]) -> frozenset[str]:
    """Return the index terms of one text or of several."""
    return frozenset(analyse(text if isinstance(text, str) else " ".join(text)))


def sentences(text: str) -> list[str]:
    """Split a text after full stops, question marks and exclamation marks."""
    return [part for part in SENTENCE.split(" ".join(text.split())) if part]
