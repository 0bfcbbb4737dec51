"""Cut a text after a number of words, in languages that write no spaces too.

A letter of a script without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan ...)
counts as a word: language models read about one token per letter of these and per word of English.
A run of other characters that is longer than any word counts once per `LONGEST` characters.
"""

from __future__ import annotations

import re

import regex

LONGEST = 200  # characters of a word
LETTER = (
    r"[[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
    r"\p{Javanese}\p{Balinese}\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}\p{Tai_Viet}\p{Yi}]&&\p{L}]"
)
WITHOUT_SPACES = regex.compile(LETTER, regex.V1)
UNIT = regex.compile(rf"{LETTER}[\p{{M}}\p{{P}}]*|(?:(?!{LETTER})\S){{1,{LONGEST}}}", regex.V1)
LONG_RUN = re.compile(rf"\S{{{LONGEST + 1}}}")


def first_words(text: str, count: int) -> str:
    """Return a text's first words, with one space in place of any white space."""
    plain = " ".join(text.split())
    if not _is_unusual(plain):
        return " ".join(plain.split()[:count])
    end = 0
    for number, unit in enumerate(UNIT.finditer(plain)):
        if number == count:
            return plain[:end]
        end = unit.end()
    return plain


def count_words(text: str) -> int:
    """Return how many words a text has."""
    plain = " ".join(text.split())
    return sum(1 for _ in UNIT.finditer(plain)) if _is_unusual(plain) else len(plain.split())


def _is_unusual(text: str) -> bool:
    """Return whether words are not what white space parts."""
    return bool(LONG_RUN.search(text) or (not text.isascii() and WITHOUT_SPACES.search(text)))
