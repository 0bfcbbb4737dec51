"""A model that another suite trains: named with the command that makes it where it is not there."""

from pathlib import Path

import pytest

from resrank.io.yaml import ConfigError
from resrank.suite.load import load_suite
from resrank.suite.preflight import check_models
from tests.conftest import ROOT

MODELS = Path("results/joint/models")


def test_a_shipped_suite_says_which_one_comes_before_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    resolved = load_suite(ROOT / "config" / "retrieval.yaml")
    for model in (
        MODELS / "docstrings_encoder_alone" / "seed1", MODELS / "docstrings_full/seed1/encoder"
    ):  # fmt: skip
        message = f"no model {model}; the suite 'joint' .*all --configfile config/joint.yaml` first"
        with pytest.raises(ConfigError, match=message):
            check_models(resolved)
        model.mkdir(parents=True)
    check_models(resolved)


@pytest.mark.parametrize("stage", ["near", "fused"])
def test_a_suite_of_ones_own_is_named_and_a_fusion_looked_into(tmp_path, monkeypatch, stage):
    monkeypatch.chdir(tmp_path)
    near = {"kind": "dense", "encoder": {"model": "results/mine/models/x/seed3"}}
    define = {"first_stages": {"near": near, "fused": {"kind": "fusion", "of": ["bm25", "near"]}}}
    suite = {"name": "s", "collections": ["docstrings"], "systems": ["bm25"], "define": define}
    check_models(load_suite(suite))  # it uses neither
    with pytest.raises(ConfigError, match="the file that says `name: mine`"):
        check_models(load_suite(suite | {"first_stages": [stage]}))


def test_a_trained_part_that_stands_on_another_suites_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encoder = {"model": "results/mine/models/x/seed3"}
    systems = {
        "below": {"kind": "bi_encoder", "options": encoder, "training": {}},
        "above": {"kind": "resrank", "options": {"encoder": {"model": "trained:below"}}},
    }
    suite = {"name": "s", "collections": ["docstrings"], "systems": ["above"],
             "define": {"systems": systems}}  # fmt: skip
    with pytest.raises(ConfigError, match="no model results/mine/models/x/seed3"):
        check_models(load_suite(suite))


def test_what_is_only_trained_on_is_known_with_its_terms(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paper = load_suite(ROOT / "config" / "paper.yaml")
    assert "msmarco" in paper.only_learned_from
    assert "msmarco" not in paper.suite.collections
    assert "non-commercial" in paper.collections["msmarco"].terms
    assert load_suite(ROOT / "config" / "config.yaml").only_learned_from == []
