"""The suite that the workflow writes for its jobs: complete, and changed only by what it says."""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from resrank.io.manifest import Damaged, write_checked_json
from resrank.io.yaml import ConfigError
from resrank.suite import merged_suite
from resrank.suite.load import load_suite
from resrank.suite.merged_suite import (
    VARIABLE,
    load_merged,
    merged_hash,
    planned_hash,
    write_merged,
)
from resrank.suite.plan import Plan, as_json
from tests.conftest import ROOT, write_beir

DENSE = {"kind": "dense", "encoder": {"model": "trained:bi_encoder_tuned"}}
FUSED = {"kind": "fusion", "of": ["bm25", "near"]}
LEARNS = {"kind": "resrank", "training": {}, "trained_with": "both", "seeds": [1]}
NEAR = {"kind": "dense", "encoder": {"model": "sentence-transformers/all-MiniLM-L6-v2"}}
SMALL = {"name": "s", "collections": ["docstrings"]}
SHIPPED = ["ablation", "config", "efficiency", "joint", "paper", "rag_match", "retrieval", "small"]
NESTED = {"near": NEAR, "both": FUSED, "twice": {**FUSED, "of": ["both", "bm25"]}}
CASES = {
    "a dense stage over a trained system": {
        "first_stages": ["d"], "systems": ["bm25"], "define": {"first_stages": {"d": DENSE}},
    },
    "a fusion of a fusion": {
        "first_stages": ["twice"], "systems": ["bm25"],
        "define": {"first_stages": {**NESTED, "near": DENSE}},
    },
    "training on a fusion's lists": {
        "systems": ["learns"],
        "define": {"first_stages": NESTED, "systems": {"learns": LEARNS}},
    },
    "a first stage that is not used": {
        "systems": ["bm25"], "define": {"first_stages": {"d": DENSE}},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", [*SHIPPED, *CASES])
def test_a_job_reads_what_was_merged(name, tmp_path, monkeypatch):
    """Every path and entry of the plan is the same after a round trip through the file."""
    case = SMALL | CASES[name] if name in CASES else ROOT / "config" / f"{name}.yaml"
    suite = load_suite(case)
    monkeypatch.chdir(tmp_path)
    plan = Plan(suite)
    write_merged(plan)
    monkeypatch.setattr(merged_suite, "library", lambda: pytest.fail("the library is read again"))
    read = Plan(load_merged(tmp_path / plan.suite_file))
    assert described(read) == described(plan)


def described(plan: Plan) -> dict[str, object]:
    """Return everything that jobs take from a plan."""
    suite = plan.suite
    collections = sorted({*suite.suite.collections, *suite.only_learned_from})
    seeds = [(system, seed) for system in sorted(suite.systems) for seed in suite.seeds_of(system)]
    return {
        "suite": suite.suite.model_dump(exclude={"define"}),
        "skipped": suite.skipped,
        "still_to_fetch": suite.maybe_unavailable,
        "labels": dict(sorted(suite.labels.items())),
        "collections": {c: as_json(suite.collections[c]) for c in collections},
        "learners": {c: plan.learners(c) for c in collections},
        "lists_to_encode": {c: plan.lists_to_encode(c) for c in collections},
        "stages": {
            (s, c): as_json(plan.stage_entry(s, c))
            for s in suite.needed_stages
            for c in collections
        },
        "stage_models": {s: plan.stage_models(s) for s in suite.needed_stages},
        "fused": {s: plan.fused("c", s) for s in suite.needed_stages},
        "systems": {
            (s, c): as_json(plan.system_entry(s, c))
            for s in sorted(suite.systems)
            for c in collections
        },
        "used_models": {s: plan.used_models(s) for s in suite.systems},
        "encoders": plan.encoders,
        "splits": {(c, e): plan.splits_to_encode(c, e) for c in collections for e in plan.encoders},
        "encoded": {(c, *s): plan.encoded(c, *s) for c in collections for s in seeds},
        "training_lists": {s: plan.training_lists(s) for s in suite.trained},
        "reported": {pair: plan.reported(*pair) for pair in suite.pairs},
        "runs": {pair: plan.runs(*pair) for pair in suite.pairs},
        "learned_from": {f"{c}/{s}": plan.learned_from(c, s) for c, s in suite.pairs},
    }


def test_only_what_is_needed_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def defined(name):
        plan = Plan(load_suite(SMALL | CASES[name]))
        write_merged(plan)
        written = yaml.safe_load((tmp_path / plan.suite_file).read_text())["define"]
        return sorted(written["first_stages"]), sorted(written["systems"])

    assert defined("a first stage that is not used") == (["bm25"], ["bm25"])
    needed = (["bm25", "d"], ["bi_encoder_tuned", "bm25"])
    assert defined("a dense stage over a trained system") == needed


def test_a_fusion_of_itself_is_an_error():
    stages = {"a": {"kind": "fusion", "of": ["bm25", "b"]},
              "b": {"kind": "fusion", "of": ["bm25", "a"]}}  # fmt: skip
    suite = SMALL | {"systems": ["bm25"], "first_stages": ["a"], "define": {"first_stages": stages}}
    with pytest.raises(ConfigError, match="first stage 'a' fuses itself"):
        load_suite(suite)


@pytest.fixture
def written(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    plan = Plan(load_suite(SMALL | {"systems": ["bm25"]}))
    write_merged(plan)
    monkeypatch.setenv(VARIABLE, planned_hash(plan))
    return Path(plan.suite_file)


def test_a_job_runs_the_suite_that_was_planned_and_no_other(written):
    assert load_merged(written).suite.seeds == [1, 2, 3]
    write_merged(Plan(load_suite(SMALL | {"systems": ["bm25"], "seeds": [4]})))
    with pytest.raises(ConfigError, match="holds another suite .* start Snakemake again"):
        load_merged(written)
    written.unlink()
    with pytest.raises(ConfigError, match=r"no results/s/suite.yaml.*not with --no-hooks"):
        load_merged(written)
    written.write_text(yaml.safe_dump(SMALL | {"systems": ["bm25"]}))
    with pytest.raises(Damaged, match=r"suite.yaml is damaged"):
        load_merged(written)


def test_a_flipped_bit_is_noticed_by_a_job_by_hand(written, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    whole, rng = written.read_bytes(), random.Random(0)
    for place in [0, 40, 71, 75, 120, whole.index(b"\nname"), len(whole) - 1]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << rng.randrange(8)
        written.write_bytes(flipped)
        with pytest.raises(Damaged, match=r"suite.yaml is damaged .*rewrites it"):
            load_merged(written)
    write_merged(Plan(load_suite(SMALL | {"systems": ["bm25"]})))
    assert written.read_bytes() == whole


def test_a_job_does_not_judge_its_machine_again(tmp_path, monkeypatch):
    """A collection that was missing is copied in while jobs run, another one is moved away."""
    monkeypatch.chdir(tmp_path)
    write_beir(tmp_path / "beir")
    define = {"here": {"kind": "beir", "path": "beir", "optional": True},
              "later": {"kind": "beir", "path": "later", "optional": True}}  # fmt: skip
    suite = {"name": "s", "collections": ["here", "later"], "systems": ["bm25"],
             "define": {"collections": define}}  # fmt: skip
    plan = Plan(load_suite(suite))
    write_merged(plan)
    (tmp_path / "beir").rename(tmp_path / "later")
    read = load_merged(tmp_path / plan.suite_file)
    assert read.suite.collections == ["here"]
    assert read.skipped == plan.suite.skipped
    again = Plan(load_suite(suite))
    assert planned_hash(again) != planned_hash(plan)
    assert merged_hash(again) == merged_hash(plan)


def test_what_could_not_be_fetched_stays_out_if_it_arrives_during_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = Plan(load_suite(far(tmp_path, monkeypatch)))
    write_merged(plan)
    write_checked_json(tmp_path / plan.fetch_completion("far"), {"absent": "no network"})
    monkeypatch.setattr("resrank.collections.base.is_here", lambda file: True)
    assert load_merged(tmp_path / plan.suite_file).suite.collections == ["here"]


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
    plan = Plan(load_suite(far(tmp_path, monkeypatch)))
    write_merged(plan)
    write_checked_json(tmp_path / plan.fetch_completion("far"), {"absent": reason})
    read = load_merged(tmp_path / plan.suite_file)
    assert read.suite.collections == (["here"] if reason else ["here", "far"])
    assert (reason in read.skipped["far"]) if reason else read.skipped == {}
    assert json.loads((tmp_path / plan.fetch_completion("far")).read_text())["absent"] == reason


def far(folder: Path, monkeypatch) -> dict[str, Any]:
    """Return a suite with an optional collection that no network gives."""
    monkeypatch.setenv("RESRANK_DATA", str(folder / "data"))
    write_beir(folder / "beir")
    archive = {"url": "http://nowhere.invalid/x.zip", "bytes": 1, "checksum": f"md5:{'0' * 32}"}
    define = {"here": {"kind": "beir", "path": "beir"},
              "far": {"kind": "beir", "archive": archive, "optional": True}}  # fmt: skip
    return {"name": "s", "collections": ["here", "far"], "systems": ["bm25"],
            "define": {"collections": define}}  # fmt: skip
