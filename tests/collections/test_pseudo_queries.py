"""Pseudo-queries from a collection's own text."""

import pytest

from resrank.collections.pseudo_queries import MOST_SHARING, draw, split, without_start
from resrank.records import Passage

REST = "It takes two arguments and gives back one array of the same length and type."


def passage(start, number=0, rest=REST):
    return Passage(f"p{number}", f"{start} {rest}")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        (f"Sort an array of numbers. {REST}", "Sort an array of numbers."),
        (f"Sort it. Use quicksort, no copy! {REST}", "Sort it. Use quicksort, no copy!"),
        (f'He said "sort the whole array." {REST}', 'He said "sort the whole array."'),
        (f"Sorting of large arrays\n\n{REST}", "Sorting of large arrays"),
        (f"Version 1.5 sorts any array? {REST}", "Version 1.5 sorts any array?"),
    ],
)
def test_the_first_sentence_must_find_the_rest(text, query):
    assert split(Passage("p", text)) == (query, REST)


@pytest.mark.parametrize(
    "text",
    ["", "No end of a sentence in here", REST, "Sort an array of numbers. Fast.", f"Sort. {REST}"],
)
def test_a_passage_without_two_long_halves_gives_none(text):
    assert split(Passage("p", text)) is None


@pytest.mark.parametrize(
    ("title", "text", "query"),
    [
        ("Sorting of large arrays", REST, "Sorting of large arrays"),
        ("Sorting of large arrays", f"Fast. {REST}", "Sorting of large arrays"),
        ("Sorting vs. searching: a survey", REST, "Sorting vs. searching: a survey"),
        ("Sorting", f"Fast and stable. {REST}", "Sorting Fast and stable."),
    ],
)
def test_a_title_must_find_the_text(title, text, query):
    halves = split(Passage("p", f"{title} {text}", len(title)))
    assert halves.query == query
    assert halves.rest.endswith(REST)


def test_the_same_passages_are_drawn_in_any_order_and_a_smaller_draw_is_part_of_a_larger():
    passages = [passage(f"Sort array number {i} now.", i) for i in range(20)]
    few, more, reverse = draw(passages, 5), draw(passages, 9), draw(passages[::-1], 5)
    assert len(few.queries) == 5
    assert few.sources == reverse.sources < more.sources
    assert few.sources != {f"p{i}" for i in range(5)}
    assert draw(passages, 100).counts["pseudo_queries"] == 20


def test_a_start_that_passages_share_is_one_query_unless_it_is_boilerplate():
    shared = [passage("Sort an array of numbers.", i, f"{REST} {i}") for i in range(2)]
    common = [passage("See the documentation of NumPy.", 10 + i) for i in range(MOST_SHARING + 1)]
    short = Passage("short", "Too short.")
    drawn = draw([*shared, *common, short], 100)
    (query,) = drawn.queries
    assert query.text == "Sort an array of numbers."
    assert query.id == "own_text:p0"
    assert drawn.sources == {"p0", "p1"}
    assert drawn.counts == {
        "pseudo_queries": 1, "passages_too_short": 1, "pseudo_queries_too_common": 1,
    }  # fmt: skip


def test_the_start_is_removed_from_every_passage_that_has_two_halves():
    assert without_start(passage("Sort an array of numbers.", 2)) == Passage("p2", REST)
    short = Passage("short", "Too short.")
    assert without_start(short) is short
