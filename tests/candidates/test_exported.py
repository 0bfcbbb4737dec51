"""Frozen candidates that travel: the same bytes in another suite, or an error."""

import json
import shutil

import pytest
import yaml
from typer.testing import CliRunner

from resrank.candidates.freeze import freeze
from resrank.cli import app
from resrank.collections.beir import BeirCollection
from resrank.io.collection import Collection
from resrank.io.hashing import sha256_file
from resrank.io.manifest import CONTENT_SHA256
from resrank.io.text import DataError
from resrank.suite.load import load_suite
from resrank.suite.plan import source_data
from tests.entries import parse_first_stage


@pytest.fixture
def collection(beir, tmp_path):
    BeirCollection(kind="beir", path=beir).collect(tmp_path / "a" / "mine")
    return Collection(tmp_path / "a" / "mine")


@pytest.fixture
def exported(collection, tmp_path):
    """The folder, and the entry that the command printed for it."""
    freeze(collection, parse_first_stage({"kind": "bm25", "depth": 3}), tmp_path / "a/bm25.parquet")
    words = ["--candidates", str(tmp_path / "a/bm25.parquet"), "--out", str(tmp_path / "export")]
    done = CliRunner().invoke(app, ["export-candidates", *words])
    assert done.exit_code == 0, done.output
    return tmp_path / "export", yaml.safe_load(done.output)


def test_another_suite_gets_the_same_bytes_and_the_same_hash(beir, exported, tmp_path):
    entry = exported[1]
    BeirCollection(kind="beir", path=beir).collect(tmp_path / "b" / "mine")
    there = tmp_path / "b" / "old.parquet"
    freeze(Collection(tmp_path / "b" / "mine"), parse_first_stage(entry), there)
    before, after = (
        json.loads(p.read_text())
        for p in (tmp_path / "a/bm25.manifest.json", tmp_path / "b/old.manifest.json")
    )
    assert there.read_bytes() == (tmp_path / "a" / "bm25.parquet").read_bytes()
    for name in ("hash", "depth", "splits"):
        assert after[name] == before[name]
    assert after["origin"]["config"] == before["config"]


def test_every_flipped_byte_is_refused(collection, exported, tmp_path):
    folder, entry = exported
    lists = folder / "candidates.parquet"
    whole = lists.read_bytes()
    for place in range(0, len(whole), 97):
        lists.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DataError, match=r"candidates.parquet: damaged, its SHA-256 is"):
            freeze(collection, parse_first_stage(entry), tmp_path / "c.parquet")
    assert not list(tmp_path.glob("c.*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"hash": "0" * 64}, "its hash is .*, not 000"), ({"depth": 100}, "its depth is 3, not 100")],
)
def test_other_lists_than_asked_for_are_refused(collection, exported, tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        freeze(collection, parse_first_stage(exported[1] | change), tmp_path / "c.parquet")
    assert not list(tmp_path.glob("c.*"))


def test_lists_of_another_version_of_the_collection_are_refused(beir, exported, tmp_path):
    (beir / "queries.jsonl").open("a").write('{"_id": "q9", "text": "new"}\n')
    BeirCollection(kind="beir", path=beir).collect(tmp_path / "b")
    with pytest.raises(DataError, match="collection's hash is .*another version of it"):
        freeze(Collection(tmp_path / "b"), parse_first_stage(exported[1]), tmp_path / "c.parquet")


def test_what_is_no_export_is_named(collection, exported, tmp_path):
    folder, entry = exported
    for text in ("{}", '{"hash": "", "depth": 1, "inputs": 3}', "[" * 9999):
        (folder / "manifest.json").write_text(text)
        with pytest.raises(DataError, match="no manifest of frozen candidates"):
            freeze(collection, parse_first_stage(entry), tmp_path / "c.parquet")
    shutil.rmtree(folder)
    with pytest.raises(DataError, match="cannot read .*manifest.json"):
        freeze(collection, parse_first_stage(entry), tmp_path / "c.parquet")


def test_an_export_of_the_previous_version_is_read(collection, exported, tmp_path):
    folder, entry = exported
    lists = folder / "candidates.parquet"
    about = json.loads((folder / "manifest.json").read_text())
    del about["outputs"], about[CONTENT_SHA256]
    seal = {"SHA-256 with zeros here": "0" * 64}
    (folder / "manifest.json").write_text(json.dumps(about | seal | {"sha256": sha256_file(lists)}))
    freeze(collection, parse_first_stage(entry), tmp_path / "c.parquet")
    assert (tmp_path / "c.parquet").read_bytes() == lists.read_bytes()
    lists.write_bytes(lists.read_bytes()[:-1] + b"?")
    with pytest.raises(DataError, match=r"candidates.parquet: damaged, its SHA-256 is"):
        freeze(collection, parse_first_stage(entry), tmp_path / "d.parquet")
    (folder / "manifest.json").write_text(json.dumps(about))
    with pytest.raises(DataError, match=r"it has no SHA-256 of cand.*export the candidates again"):
        freeze(collection, parse_first_stage(entry), tmp_path / "d.parquet")


def test_candidates_of_the_previous_version_are_exported(exported, tmp_path):
    manifest = tmp_path / "a/bm25.manifest.json"
    about = json.loads(manifest.read_text())
    del about["outputs"], about[CONTENT_SHA256]
    manifest.write_text(json.dumps(about))
    words = ["--candidates", str(tmp_path / "a/bm25.parquet"), "--out", str(tmp_path / "again")]
    done = CliRunner().invoke(app, ["export-candidates", *words])
    assert done.exit_code == 0, done.output
    written, before = (
        json.loads((f / "manifest.json").read_text()) for f in (tmp_path / "again", exported[0])
    )
    assert written == before


def test_a_changed_candidate_file_is_not_exported(collection, exported, tmp_path):
    (tmp_path / "a" / "bm25.manifest.json").write_text(
        json.dumps({"hash": "0" * 64, "depth": 3, "inputs": {}, "outputs": {}})
    )
    words = ["--candidates", str(tmp_path / "a/bm25.parquet"), "--out", str(tmp_path / "again")]
    done = CliRunner().invoke(app, ["export-candidates", *words])
    assert "not what its manifest says" in str(done.exception)
    assert not (tmp_path / "again").exists()


def test_a_suite_plans_with_it_and_watches_its_files(beir, exported):
    folder, entry = exported
    define = {"collections": {"mine": {"kind": "beir", "path": str(beir)}},
              "first_stages": {"old": entry}}  # fmt: skip
    suite = load_suite({"name": "s", "collections": ["mine"], "systems": ["bm25"],
                        "first_stages": ["old"], "define": define})  # fmt: skip
    assert suite.pairs == [("mine", "old")]
    assert source_data(suite.first_stages["old"]) == [
        str(folder / "candidates.parquet"), str(folder / "manifest.json"),
    ]  # fmt: skip
