"""Words of every script that Python's `unicodedata` has."""

import sys
import unicodedata
from collections import defaultdict

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from resrank.candidates.bm25 import Bm25Stage
from resrank.candidates.text_analysis import ANALYSERS, analyse
from resrank.candidates.words import ASCII_WORD, INVISIBLE, WORD, icu_words, words
from resrank.records import Passage, Query

CJK = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{WB=Katakana}\uFF9E\uFF9F]")


def characters_by_script():
    """Return the first word of the characters' names -> (letters, marks); CJK by themselves."""
    scripts = defaultdict(lambda: ([], []))
    for code in range(0x80, sys.maxunicode + 1):
        char = chr(code)
        kind = unicodedata.category(char)[0]
        if kind in "LM" and not INVISIBLE.fullmatch(char):
            name = unicodedata.name(char, "").partition(" ")[0]
            scripts["CJK" if CJK.match(char) else name][kind == "M"].append(char)
    return scripts


SCRIPTS = characters_by_script()
MARKS = SCRIPTS["COMBINING"][1]


def test_the_scripts_are_many():
    assert len(SCRIPTS) > 150
    assert {"DEVANAGARI", "ARABIC", "HEBREW", "THAI", "TIBETAN", "LATIN"} < set(SCRIPTS)


@pytest.mark.parametrize("mark_of", ["its script", "all scripts"])
def test_a_mark_parts_no_word_in_any_script(mark_of):
    for script, (letters, of_script) in SCRIPTS.items():
        marks = of_script if mark_of == "its script" else MARKS
        if script not in ("CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH", "KANGXI"):
            for place, mark in enumerate(marks):
                first, last = (
                    letters[place % len(letters)] if letters else "a",
                    (letters or "a")[-1],
                )
                text = f"{first}{mark}{last}"
                assert len(words(f"{text} {text}")) == 2, (script, text)


def test_the_letters_of_a_script_are_one_word_unless_each_is_one():
    for script, (letters, _) in SCRIPTS.items():
        if letters and script != "CJK":
            assert len(words("".join(letters[:3]))) == 1, script
    assert words("跳蚤ひら") == list("跳蚤ひら")


def test_every_letter_and_number_is_a_word_as_before():
    """Python's `\\w` and this pattern agree on what may begin a word."""
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if char.isalnum() or char == "_":
            assert WORD.fullmatch(char), hex(code)
        elif WORD.fullmatch(char):
            assert unicodedata.category(char) == "Cn" or "KATAKANA" in unicodedata.name(char), hex(
                code
            )


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_has_the_words_of_the_general_pattern(text):
    assert ASCII_WORD.findall(text.lower()) == WORD.findall(text.lower())


@given(st.text())
def test_composed_and_decomposed_texts_have_equal_words(text):
    for form in ("NFC", "NFD"):
        assert words(unicodedata.normalize(form, text)) == words(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("बाल बिल्ली", ["बाल", "बिल्ली"]), ("কথা", ["কথা"]), ("البَرَاغِيثُ", ["البَرَاغِيثُ"]), ("ส้มตำ", ["ส้มตำ"]),
     ("cre\u0300me", ["crème"]), ("İstanbul", ["istanbul"]), ("I\u0307stanbul", ["istanbul"]),
     ("ISTANBUL", ["istanbul"]), ("co\u00adoperate", ["cooperate"]), ("שלום\u200f", ["שלום"]),
     ("ភាសា\u200bខ្មែរ", ["ភាសា", "ខ្មែរ"]), ("한국어 책", ["한국어", "책"]),
     ("跳蚤ABC株式", ["跳", "蚤", "abc", "株", "式"]), ("スーパーへ", ["スーパー", "へ"]), ("ｶﾞｽ", ["ｶﾞｽ"])],
)  # fmt: skip
def test_words_of_many_languages(text, wanted):
    assert words(text) == ANALYSERS["unicode"](text) == wanted


def test_english_drops_and_stems_and_the_others_do_not():
    assert analyse("The cats' running") == ["cat", "run"]
    assert ANALYSERS["unicode"]("The cats' running") == ["the", "cats", "running"]


PASSAGES = [Passage("d1", "跳蚤会跳得很高，住在猫身上。"), Passage("d2", "猫喜欢睡觉。"),
            Passage("d3", "河流把水带到大海。"), Passage("t1", "ฉันชอบกินส้มตำ"),
            Passage("t2", "แมวชอบนอน")]  # fmt: skip


@pytest.mark.parametrize("analyser", ["english", "unicode", "icu"])
def test_a_chinese_query_retrieves_passages(analyser):
    if analyser == "icu":
        pytest.importorskip("icu4py", reason="the extra `icu` is not installed")
    stage = Bm25Stage(kind="bm25", analyser=analyser)
    lists = stage.rank([Query("q1", "跳蚤跳多高"), Query("q2", "河流到哪里")], PASSAGES)
    assert [lists[q][0][0] for q in ("q1", "q2")] == ["d1", "d3"]


def test_icu_parts_thai_by_its_dictionary():
    pytest.importorskip("icu4py", reason="the extra `icu` is not installed")
    assert icu_words("ฉันชอบกินส้มตำ 3.5 can't!") == ["ฉัน", "ชอบ", "กิน", "ส้มตำ", "3.5", "can't"]
    stage = Bm25Stage(kind="bm25", analyser="icu")
    assert stage.rank([Query("q", "กินส้มตำ")], PASSAGES)["q"][0][0] == "t1"


def test_without_icu_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "icu4py.breakers", None)
    with pytest.raises(ValueError, match="needs icu4py, the extra `icu`: pip install"):
        icu_words("ฉัน")
