"""The suite that the workflow writes for its jobs: complete, and changed only by what it says."""

import json
import os

import pytest
import yaml

from resrank.io.manifest import write_checked_json
from resrank.suite import merged_suite
from resrank.suite.load import load_suite
from resrank.suite.merged_suite import load_merged, merged_hash, write_merged
from resrank.suite.plan import Plan, as_json
from tests.conftest import ROOT, write_beir


@pytest.mark.parametrize("name", ["config", "joint", "retrieval", "efficiency", "rag_match"])
def test_a_job_reads_what_was_merged(name, tmp_path, monkeypatch):
    suite = load_suite(ROOT / "config" / f"{name}.yaml")
    monkeypatch.chdir(tmp_path)
    plan = Plan(suite)
    write_merged(plan)
    monkeypatch.setattr(merged_suite, "library", lambda: pytest.fail("the library is read again"))
    read = Plan(load_merged(tmp_path / plan.suite_file))
    assert read.suite.suite.collections == suite.suite.collections
    assert read.suite.labels == {name: suite.labels[name] for name in read.suite.labels}
    for system in [*suite.suite.systems, *suite.trained]:
        assert as_json(read.system_entry(system)) == as_json(plan.system_entry(system))
    assert {e: read.encoders[e] for e in read.encoders} == {
        e: plan.encoders[e] for e in read.encoders
    }
    for collection, stage in suite.pairs:
        assert as_json(read.stage_entry(stage)) == as_json(plan.stage_entry(stage))
        assert as_json(read.suite.collections[collection]) == as_json(suite.collections[collection])
        assert read.reported(collection, stage) == plan.reported(collection, stage)
        assert read.learned_from(stage) == plan.learned_from(stage)
        assert read.runs(collection, stage) == plan.runs(collection, stage)


def test_the_file_is_written_only_if_it_holds_another_suite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite = {"name": "s", "collections": ["docstrings"], "systems": ["bm25"]}
    plan = Plan(load_suite(suite))
    write_merged(plan)
    os.utime(plan.suite_file, (1, 1))
    write_merged(plan)
    assert os.stat(plan.suite_file).st_mtime == 1
    other = Plan(load_suite(suite | {"seeds": [4]}))
    assert merged_hash(other) != merged_hash(plan)
    write_merged(other)
    assert yaml.safe_load((tmp_path / plan.suite_file).read_text())["seeds"] == [4]


def test_scaled_models_are_not_scaled_again(tmp_path, monkeypatch):
    suite = load_suite(ROOT / "config" / "efficiency.yaml")
    scaled = load_suite(
        suite.given.model_copy(update={"scale": 64}).model_dump(mode="json", exclude_unset=True)
    )
    monkeypatch.chdir(tmp_path)
    plan = Plan(scaled)
    write_merged(plan)
    read = load_merged(tmp_path / plan.suite_file)
    for name in scaled.suite.systems:
        assert read.systems[name] == scaled.systems[name]


@pytest.mark.parametrize("reason", [None, "no network: nowhere did not answer"])
def test_a_job_leaves_out_what_no_network_gave(tmp_path, monkeypatch, reason):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESRANK_DATA", str(tmp_path / "data"))
    write_beir(tmp_path / "beir")
    archive = {"url": "http://nowhere.invalid/x.zip", "bytes": 1, "checksum": f"md5:{'0' * 32}"}
    define = {"here": {"kind": "beir", "path": "beir"},
              "far": {"kind": "beir", "archive": archive, "optional": True}}  # fmt: skip
    suite = {"name": "s", "collections": ["here", "far"], "systems": ["bm25"],
             "define": {"collections": define}}  # fmt: skip
    plan = Plan(load_suite(suite))
    write_merged(plan)
    write_checked_json(tmp_path / plan.fetch_completion("far"), {"absent": reason})
    read = load_merged(tmp_path / plan.suite_file)
    assert read.suite.collections == (["here"] if reason else ["here", "far"])
    assert (reason in read.skipped["far"]) if reason else read.skipped == {}
    assert json.loads((tmp_path / plan.fetch_completion("far")).read_text())["absent"] == reason
