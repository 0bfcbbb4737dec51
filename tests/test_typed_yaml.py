"""YAML from outside: what is refused is named by its file, and nothing blows up or goes on for ever."""

import pytest

from resrank.io.yaml import ConfigError, read_source, read_yaml
from resrank.options import Strict
from tests.fuzz.hostile import BOMB, MERGES


class Length(Strict):
    value: float


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a: 1\nb: 2\na: 3", r"found the key 'a' a second time\n.*line 3, column 1"),
        (b"a: " + BOMB, "found 100,000 entries or more, aliases followed"),
        (b"a: " + MERGES, "found 100,000 entries or more, aliases followed"),
        (b"a: &x [*x]", "or one that holds itself"),
        (b"a: " + b"[\n" * 2000, "recursion"),
        (b"a: 0x" + b"f" * 9000, "a whole number of more than 64 bits"),
        (b"a: " + b"9" * 5000, "4300 digits"),
        (b"a: 2001-99-99", "month must be in 1..12"),
        (b"a: !!int ''", "not valid YAML: string index"),
        (b"a: !!timestamp x", "not valid YAML: 'NoneType'"),
        (b"a: \xff", "not UTF-8 text"),
        (b"- a", "expected a mapping of keys, found list"),
    ],
)
def test_what_is_refused(tmp_path, text, said):
    path = tmp_path / "a.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=said) as found:
        read_yaml(path)
    assert str(path) in str(found.value)
    assert len(str(found.value)) < 500


def test_aliases_merges_and_a_mark_of_byte_order_are_read(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: [*a, *a]\n", "utf-8-sig")
    a = {"x": 1, "y": 2}
    assert read_yaml(path) == {"a": a, "b": a | {"x": 3}, "c": [a, a]}


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", "x" * 10_000])
def test_a_number_is_finite_and_what_was_given_is_shown_in_short(tmp_path, value):
    path = tmp_path / "a.yaml"
    path.write_text(f"value: {value}")
    with pytest.raises(ConfigError, match=r"a.yaml: value: Input should be a .*number") as found:
        read_source(Length, path)
    assert len(str(found.value)) < 500
