"""Whatever a file, a model or a server says, a reader says what is wrong with it, and ends."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.readers import READERS


@pytest.mark.parametrize("name", READERS)
def test_good_inputs(name, tmp_path):
    assert READERS[name].target(READERS[name].seeds[0], tmp_path)


@pytest.mark.filterwarnings("ignore:the endpoint leaves out tokens")
@pytest.mark.parametrize("name", READERS)
def test_hostile_inputs(name, tmp_path):
    reader = READERS[name]
    for data in reader.inputs():
        try:
            reader.target(data, tmp_path)
        except Exception as error:
            raise AssertionError(f"{name} of {data[:300]!r}") from error


@pytest.mark.filterwarnings("ignore:the endpoint leaves out tokens")
@pytest.mark.parametrize("name", READERS)
def test_random_changes(name, tmp_path_factory):
    folder = tmp_path_factory.mktemp(name)
    reader = READERS[name]

    @settings(max_examples=int(os.environ.get("RESRANK_EXAMPLES", "100")), deadline=None)
    @given(changed(reader.seeds))
    def holds(data):
        reader.target(data, folder)

    holds()


@st.composite
def changed(draw, seeds):
    """A good input with a stretch of it replaced, or any bytes."""
    seed = draw(st.sampled_from([*seeds, b""]))
    start = draw(st.integers(0, len(seed)))
    end = draw(st.integers(start, min(len(seed), start + 20)))
    return (
        seed[:start] + draw(st.binary(max_size=40) | st.text(max_size=20).map(encoded)) + seed[end:]
    )


def encoded(text):
    return text.encode("utf-8", "surrogatepass")
