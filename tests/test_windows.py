import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from resrank.windows import Window, slide, spans

windows = st.integers(2, 12).flatmap(
    lambda size: st.builds(Window, size=st.just(size), step=st.integers(1, size), passes=st.just(1))
)


def test_a_hundred_candidates_take_nine_windows():
    places = list(spans(100, Window(size=20, step=10)))
    assert places == [(start, start + 20) for start in range(80, -1, -10)]


@pytest.mark.parametrize(
    ("length", "wanted"),
    [(0, []), (1, []), (2, [(0, 2)]), (20, [(0, 20)]), (25, [(5, 25), (0, 20)]),
     (30, [(10, 30), (0, 20)])],
)  # fmt: skip
def test_edges(length, wanted):
    assert list(spans(length, Window(size=20, step=10))) == wanted


@given(st.integers(2, 60), windows)
def test_every_passage_is_read_and_the_best_rises_to_the_top(length, window):
    places = list(spans(length, window))
    assert {place for start, end in places for place in range(start, end)} == set(range(length))
    ranked = slide([list(range(length))], window, best_first)[0]
    assert sorted(ranked) == list(range(length))
    # Two windows that overlap carry the best passage all the way up.
    if window.step < window.size:
        assert ranked[0] == length - 1


def best_first(pieces):
    return [sorted(range(len(p)), key=lambda i: -p[i]) for p in pieces]


def test_enough_passes_sort_a_list():
    window = Window(size=4, step=2, passes=5)
    assert slide([list(range(10))], window, best_first) == [list(range(9, -1, -1))]


def test_windows_of_one_round_are_ordered_together():
    rounds = []

    def order(pieces):
        rounds.append([len(p) for p in pieces])
        return best_first(pieces)

    slide([list(range(30)), list(range(5)), [], [7]], Window(size=20, step=10), order)
    assert rounds == [[20, 5], [20]]


def test_mistakes():
    with pytest.raises(ValidationError, match="step 30 is larger than size 20"):
        Window(size=20, step=30)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Window(step=0)
    with pytest.raises(ValueError, match="no permutation of a window of 3"):
        slide([[1, 2, 3]], Window(), lambda pieces: [[0, 0, 1]])
