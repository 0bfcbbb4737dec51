"""Words that carry a text's meaning, and its sentences: what rules compare."""

from __future__ import annotations

import re
from collections.abc import Iterable

from resrank.candidates.analysis import STOP_WORDS, TOKEN, analyse

SENTENCE = re.compile(r"(?<=[.!?])\s+")


def words(text: str) -> list[str]:
    """A text's words as they stand, without stop words, each once."""
    return list(dict.fromkeys(w for w in TOKEN.findall(text.lower()) if w not in STOP_WORDS))


def terms(text: str | Iterable[str]) -> frozenset[str]:
    """The index terms of a text, or of several."""
    return frozenset(analyse(text if isinstance(text, str) else " ".join(text)))


def sentences(text: str) -> list[str]:
    """A text's sentences, cut behind full stops, question and exclamation marks."""
    return [part for part in SENTENCE.split(" ".join(text.split())) if part]
