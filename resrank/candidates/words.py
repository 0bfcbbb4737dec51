"""The words of a text in any script, as Unicode's word rules part them (UAX #29).

Marks belong to the letter before them. An ideograph and a hiragana letter are words by themselves,
as for Lucene's StandardTokenizer, and so is a run of katakana. A run of letters of a script that
writes no spaces, such as Thai, is one word; `icu_words` parts it by a dictionary.
"""

from __future__ import annotations

import re
import unicodedata

import regex

LETTER = r"[\p{L}\p{N}_]"  # with digits, as Python's \w
SINGLE = rf"[[\p{{Han}}\p{{Hiragana}}]&&{LETTER}]"
KATAKANA = rf"[[\p{{Katakana}}\p{{WB=Katakana}}]&&{LETTER}]"
MARKS = r"\p{M}\uFF9E\uFF9F"  # the last two are the voiced sound marks of half width
OTHER = rf"[{LETTER}--[{SINGLE}{KATAKANA}]]"


def _word_pattern(letter: str, more: str) -> str:
    """Return the pattern of words of letters and digits, joined inside by ' . or _ (can't, 3.5).

    letter: class of the characters that a word may begin with. more: of those that may follow.
    """
    word, other = f"{letter}{more}*", rf"(?!\d){letter}{more}*"
    return (
        rf"{word}(?:(?:'|’(?={letter})){word}"
        rf"|\.(?<=\d\.)\d{more}*|\.(?<=(?!\d){letter}\.){other})*"
    )


ASCII_WORD = re.compile(_word_pattern(r"\w", r"\w"), re.ASCII)
WORD = regex.compile(
    rf"{SINGLE}[{MARKS}]*|{KATAKANA}[{KATAKANA}{MARKS}]*|"
    + _word_pattern(OTHER, rf"[{OTHER}{MARKS}]"),
    regex.V1,
)
INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}--\u200B]", regex.V1)
"""Characters that only shape others, such as the soft hyphen. A space of no width parts words."""


def words(text: str) -> list[str]:
    """Return a text's words in lower case, in their order."""
    if text.isascii():
        return ASCII_WORD.findall(text.lower())
    return list(WORD.findall(plain(text)))


def icu_words(text: str) -> list[str]:
    """Return a text's words in lower case, parted by ICU's dictionaries where there are no spaces.

    These scripts are Chinese, Japanese, Thai, Lao, Khmer and Burmese. ValueError without icu4py.
    """
    try:
        from icu4py.breakers import WordBreaker
    except ImportError as error:
        raise ValueError(
            "`analyser: icu` needs icu4py, the extra `icu`: pip install -c constraints.txt "
            "-e '.[icu]'; or set `analyser: unicode`"
        ) from error
    return [part for part in WordBreaker(plain(text), "root") if WORD.search(part)]


def plain(text: str) -> str:
    """Return a text in lower case, composed (NFC), without characters that only shape others.

    `İ` becomes `i`, as for Lucene; Python would add a dot above it.
    """
    composed = unicodedata.normalize("NFC", text).replace("İ", "i")
    return str(INVISIBLE.sub("", composed.lower()))
