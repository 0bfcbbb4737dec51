"""Snakemake started elsewhere or with `--config` alone, and an installation without config/."""

import json
import subprocess
import sys

import pytest
import yaml

from resrank.cli import tools
from resrank.io import shipped_files
from resrank.io.yaml import ConfigError, check_keys
from resrank.model import architectures, wheel_names
from resrank.reporting.claims import read_claims
from resrank.reporting.exports.references import read_references
from resrank.suite import library
from tests.conftest import ROOT, write_beir


def planned(folder, *options):
    """Return what Snakemake says of its jobs for a start in a folder."""
    command = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "all", *map(str, options)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text[-2000:]
    assert "Traceback" not in text
    return text


@pytest.fixture
def suite(tmp_path):
    collection = {"kind": "beir", "path": str(write_beir(tmp_path / "beir"))}
    mapping = {"name": "notes", "collections": ["notes"], "systems": ["bm25"],
               "define": {"collections": {"notes": collection}}}  # fmt: skip
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(mapping))
    return tmp_path / "suite.yaml"


def test_a_start_in_another_directory(tmp_path, suite):
    (tmp_path / "elsewhere").mkdir()
    options = ["-s", ROOT / "Snakefile", "--configfile", suite]
    assert "results/notes/report.manifest.json" in planned(tmp_path / "elsewhere", *options)


def test_config_alone_changes_the_demo():
    text = planned(ROOT, "--config", "offline=true", "name=demo_offline", "title=[0-9]{1,2}")
    assert "results/demo_offline/report.manifest.json" in text


BRACES = [
    "[0-9]{1,2}",
    "{word}",
    "{0}",
    "{{x}}",
    "{",
    "}",
    "{wildcards.collection}",
    "%s $HOME `ls`",
]


def test_braces_in_any_text_of_a_suite(tmp_path):
    """Title, label, source, path and options, all at once; the working directory is another."""
    text = " ".join(BRACES)
    folder = write_beir(tmp_path / "be{ir}")
    collection = {"kind": "beir", "path": str(folder), "source": text, "licence": text,
                  "instruction": text, "version": text}  # fmt: skip
    endpoint = {"kind": "http", "url": "http://localhost:1/v1", "model": "m",
                "more": {"guided_regex": r"\[[0-9]{1,2}\]", "nested": {"{a}": ["{b}"]}}}  # fmt: skip
    encoder = {"query_instruction": "Query: {query} {1,2}"}
    systems = {
        "far": {"kind": "rankgpt", "label": text, "options": {"llm": endpoint}},
        "near": {"kind": "bi_encoder", "label": text, "options": encoder},
    }
    mapping = {"name": "notes", "title": text, "collections": ["notes"], "systems": list(systems),
               "define": {"collections": {"notes": collection}, "systems": systems}}  # fmt: skip
    suite = tmp_path / "suite.yaml"
    suite.write_text(yaml.safe_dump(mapping))
    text = planned(ROOT, "--directory", tmp_path / "there", "--configfile", suite)
    assert "results/notes/report.manifest.json" in text


@pytest.mark.parametrize("name", ["s.yaml", "s.json"])
@pytest.mark.parametrize("inner", [False, True])
def test_a_key_twice_in_a_suite_file(tmp_path, name, inner):
    twice = '{"a": [1], "b": 2, "a": 3}'
    (tmp_path / name).write_text(f'{{"x": [{twice}]}}' if inner else twice)
    with pytest.raises(ConfigError, match=f"{name} is not valid .*the key 'a' a second time"):
        check_keys(tmp_path / name)
    (tmp_path / name).write_text(json.dumps({"a": {"a": 1}, "b": [{"a": 1}, {"a": 1}]}))
    check_keys(tmp_path / name)


def test_damaged_json_is_named(tmp_path):
    for content in ("{", "[" * 100_000):
        (tmp_path / "s.json").write_text(content)
        with pytest.raises(ConfigError, match="s.json is not valid JSON"):
            check_keys(tmp_path / "s.json")
    with pytest.raises(ConfigError, match="cannot read .*none.json"):
        check_keys(tmp_path / "none.json")


@pytest.mark.parametrize(
    "read",
    [tools.collections, library.library, read_claims, read_references, architectures.published,
     wheel_names.listed_wheels],
)  # fmt: skip
def test_an_installation_without_the_library_says_what_to_do(tmp_path, monkeypatch, read):
    monkeypatch.setattr(shipped_files, "CONFIG_DIR", tmp_path / "config")
    for cached in (library.library, architectures.published, wheel_names.listed_wheels):
        cached.cache_clear()
    with pytest.raises(
        FileNotFoundError, match="lacks config/.*; clone the repository and install"
    ):
        read()
    for cached in (library.library, architectures.published, wheel_names.listed_wheels):
        cached.cache_clear()
