"""Cut a text after a number of words, in languages that write no spaces too.

A letter of a script without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan ...)
counts as a word: language models read about one token per letter of these and per word of English.
A run of other characters that is longer than any word counts once per `LONGEST` characters.
"""

from __future__ import annotations

from collections.abc import Sequence

import regex

LONGEST = 200  # characters of a word
LETTER = (
    r"[[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
    r"\p{Javanese}\p{Balinese}\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}\p{Tai_Viet}\p{Yi}]&&\p{L}]"
)
WITHOUT_SPACES = regex.compile(LETTER, regex.V1)
UNIT = regex.compile(rf"{LETTER}[\p{{M}}\p{{P}}]*|(?:(?!{LETTER})\S){{1,{LONGEST}}}", regex.V1)


def first_words(text: str, count: int) -> str:
    """Return a text's first words, with one space in place of any white space."""
    words = text.split()
    if not _is_unusual(text, words):
        return " ".join(words[:count])
    plain, end = " ".join(words), 0
    for number, unit in enumerate(UNIT.finditer(plain)):
        if number == count:
            return plain[:end]
        end = unit.end()
    return plain


def count_words(text: str) -> int:
    """Return how many words a text has."""
    words = text.split()
    if not _is_unusual(text, words):
        return len(words)
    return sum(1 for _ in UNIT.finditer(" ".join(words)))


def _is_unusual(text: str, words: Sequence[str]) -> bool:
    """Return whether a text has other words than those that white space parts."""
    if max(map(len, words), default=0) > LONGEST:
        return True
    return not text.isascii() and WITHOUT_SPACES.search(text) is not None
