"""YAML from outside: errors name the file, and no file takes endless time or memory."""

import re
import subprocess
import sys

import pytest

from resrank.io.yaml import ConfigError, read_source, read_yaml
from resrank.options import Strict
from tests.dag import ENVIRONMENT, copy_project
from tests.fuzz.hostile import BOMB, MERGES


class Length(Strict):
    value: float


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a: 1\nb: 2\na: 3", r"found the key 'a' a second time\n.*line 3, column 1"),
        (b"a: " + BOMB, "found 100,000 values or more"),
        (b"a: " + MERGES, "found 100,000 values or more"),
        (b"a: &x [*x]", "or a value that contains itself"),
        (b"a: " + b"[\n" * 2000, "recursion"),
        (b"a: 0x" + b"f" * 9000, "an integer of more than 64 bits"),
        (b"a: " + b"9" * 5000, "4300 digits"),
        (b"a: 2001-99-99", "month must be in 1..12"),
        (b"a: !!int ''", "not valid YAML: string index"),
        (b"a: !!timestamp x", "not valid YAML: 'NoneType'"),
        (b"a: \xff", "not UTF-8 text"),
        (b"- a", "expected a mapping of keys, found list"),
    ],
)
def test_unusable_files_are_refused(tmp_path, text, message):
    path = tmp_path / "a.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500


def test_aliases_merges_and_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: [*a, *a]\n", "utf-8-sig")
    a = {"x": 1, "y": 2}
    assert read_yaml(path) == {"a": a, "b": a | {"x": 3}, "c": [a, a]}


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", "x" * 10_000])
def test_numbers_are_finite_and_messages_short(tmp_path, value):
    path = tmp_path / "a.yaml"
    path.write_text(f"value: {value}")
    with pytest.raises(ConfigError, match=r"a.yaml: value: Input should be a .*number") as caught:
        read_source(Length, path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("place", ["suite.yaml", "config/config.yaml"])
def test_snakemake_refuses_a_repeated_key_in_a_file_that_it_reads_itself(tmp_path, place):
    copy_project(tmp_path, {"name": "mine"})
    path = tmp_path / place
    path.write_text(path.read_text() + "name: other\n")
    words = ["--configfile", "suite.yaml"] if place == "suite.yaml" else []
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "all", *words],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert f"{place} is not valid YAML: found the key 'name' a second time" in done.stderr
    assert re.search(r"line \d+, column 1", done.stderr)
