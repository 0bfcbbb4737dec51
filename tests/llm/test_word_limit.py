"""Texts of any language are cut after a number of words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.llm.prompts.template import FOLDER, template
from baselines.llm.word_limit import LONGEST, count_words, first_words

NO_SPACES = {
    "Chinese": "跳蚤会跳得很高，住在猫身上。", "Japanese": "ノミは高く跳び、猫に住む。",
    "Thai": "หมัดกระโดดสูงและอาศัยอยู่บนแมว", "Lao": "ໝັດໂດດສູງ", "Khmer": "ចៃលោតខ្ពស់",
    "Burmese": "ခွေးလှေးများသည်မြင့်မားစွာခုန်သည်", "Tibetan": "ལྗི་བ་མཐོན་པོ་མཆོང་།", "Yi": "ꆈꌠꁱꂷ",
    "bases": "ACGT" * LONGEST,
}  # fmt: skip
ENGLISH = st.text(st.characters(max_codepoint=0x24F), max_size=150)


@given(ENGLISH, st.integers(1, 20))
def test_a_text_with_spaces_is_cut_as_ever(text, count):
    assert first_words(text, count) == " ".join(text.split()[:count])
    assert count_words(text) == len(text.split())


@pytest.mark.parametrize("language", NO_SPACES)
def test_a_text_without_spaces_is_cut(language):
    whole = NO_SPACES[language] * 60
    count = count_words(whole)
    assert count > 60
    short = first_words(whole, 20)
    assert whole.startswith(short)
    assert count_words(short) == 20
    assert len(short) <= 20 * (LONGEST if language == "bases" else 8)
    assert first_words(whole, count) == whole
    assert first_words(whole, count - 1) != whole


@pytest.mark.parametrize("name", [path.stem for path in sorted(FOLDER.glob("*.yaml"))])
@pytest.mark.parametrize("language", NO_SPACES)
def test_a_prompt_in_any_language_is_about_as_long_as_in_english(name, language):
    form, limit = template(name), 20
    texts = [NO_SPACES[language] * 60] * 4
    assert all(form.cuts(text, limit) for text in texts)
    prompt = form.build("q", texts, limit)
    empty = form.build("q", [""] * 4, limit)
    added = sum(len(m.content) for m in prompt) - sum(len(m.content) for m in empty)
    assert added <= 4 * limit * (LONGEST if language == "bases" else 8)


@given(st.text(max_size=60), st.integers(1, 30))
def test_any_text_has_at_most_the_words_asked_for(text, count):
    short = first_words(text, count)
    assert count_words(short) <= count
    assert " ".join(text.split()).startswith(short)
    assert (count_words(text) <= count) == (short == " ".join(text.split()))


def test_words_of_both_kinds():
    assert first_words("ABC 公司在 New York", 4) == "ABC 公司在"
    assert first_words("ABC 公司在 New York", 5) == "ABC 公司在 New"
    assert first_words("高，低", 1) == "高，"
    assert first_words("cre\u0300me bru\u0302le\u0301e", 1) == "cre\u0300me"
