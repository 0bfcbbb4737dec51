import pytest

from baselines.llm.interface import Message
from baselines.llm.prompts.template import FOLDER, template


@pytest.mark.parametrize("name", sorted(p.stem for p in FOLDER.glob("*.yaml")))
def test_every_prompt_contains_every_passage_and_the_query(name):
    prompt = template(name).build("what is {num}?", ["first [2] text", "second {query}"])
    text = "".join(m.content for m in prompt)
    assert "what is {num}?" in text
    expected = "first [2] text" if template(name).by_letter else "first (2) text"
    assert expected in text  # no identifier of its own
    assert "second {query}" in text  # filled in once, not again
    assert len({m.role for m in prompt} & {"text"}) in (0, len(prompt))


def test_consecutive_turns_of_one_role_are_joined():
    assert [m.role for m in template("rankzephyr").build("q", ["a", "b"])] == ["system", "user"]
    roles = [m.role for m in template("rankgpt").build("q", ["a", "b"])]
    assert roles == ["system", "user", *["assistant", "user"] * 3]
    assert template("short").build("q", ["a"]) == (
        Message("user", "Query: q\n[1] a\nRank all 1 passages by relevance to the query, best first, "
                "as [2] > [1] > ... and nothing else."),
    )  # fmt: skip


def test_only_passages_are_cut():
    made = template("short")
    text = made.build("long " * 200, ["word " * 200], 5)[0].content
    assert text.count("word") == 5
    assert text.count("long") == 200
    assert made.cuts("word " * 6, 5)
    assert not made.cuts("word " * 5, 5)


def test_the_hash_depends_on_the_prompt_but_not_on_its_source():
    made = template("short")
    assert made.model_copy(update={"source": "x"}).hash == made.hash
    assert made.model_copy(update={"words": 3}).hash != made.hash


def test_an_unknown_prompt_lists_the_valid_names():
    with pytest.raises(ValueError, match="unknown prompt 'x'; known: .*rankgpt, rankvicuna"):
        template("x")


def test_identifiers_within_a_passage_lose_their_brackets():
    text = "[B] see [3] and [12ab]"
    numbered = "".join(message.content for message in template("short").build("q", [text]))
    assert "[B] see (3) and [12ab]" in numbered
    lettered = "".join(message.content for message in template("first").build("q", [text]))
    assert "(B) see [3] and [12ab]" in lettered
