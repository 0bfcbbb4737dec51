"""What a system that serves trained models is before training, and its gain over that."""

from pathlib import Path

import pytest

from resrank.io.manifest import write_manifest
from resrank.io.yaml import ConfigError
from resrank.reporting.tables.gains import gain_legend
from resrank.suite.load import load_suite
from resrank.suite.plan import Plan
from tests.test_untrained import MINILM, SYSTEMS

RRF = {"k": 10, "system": {"kind": "bi_encoder", "options": MINILM}}
RRF_TUNED = {"k": 10, "system": {"kind": "bi_encoder", "options": {"model": "trained:tuned"}}}
DEFINED = SYSTEMS | {
    "rrf": {"kind": "rank_fusion", "options": RRF},
    "rrf_tuned": {"kind": "rank_fusion", "options": RRF_TUNED, "label": "Fused"},
    "rrf_cross": {"kind": "rank_fusion", "options": {"systems": [
        {"kind": "bi_encoder", "options": MINILM},
        {"kind": "cross_encoder", "options": {"model": "trained:cross", "max_tokens": 32}},
    ]}},
    "narrow": {"kind": "bi_encoder", "options": {"model": "trained:joint/encoder", "max_tokens": 8}},
    "served": {"kind": "resrank_saved", "options": {"model": "trained:joint"}},
    "windowed": {"kind": "resrank_saved", "label": "W",
                 "options": {"model": "trained:joint", "max_tokens": 16, "window": {"size": 4, "step": 2}}},
    "judge": {"kind": "rag_match", "options": {"llm": {
        "kind": "transformers", "model": {"encoder": MINILM["model"]}, "context": 512}}, "training": {}},
    "told": {"kind": "rankgpt", "options": {"llm": {"kind": "transformers", "model": "trained:judge"}}},
}  # fmt: skip


def suite(*systems, **more):
    config = {"name": "x", "collections": ["docstrings"], "systems": list(systems)}
    return load_suite(config | {"define": {"systems": DEFINED}} | more)


def options_of_companion(resolved, name):
    return resolved.systems[f"{name}_untrained"].options


def test_a_fusion_of_a_trained_system_has_the_fusion_of_its_start_as_untrained_self():
    resolved = suite("rrf", "rrf_tuned")
    assert resolved.untrained == {"rrf_tuned": "rrf"}
    assert resolved.companions == {}
    resolved = suite("rrf_tuned")
    assert resolved.companions == {"rrf_tuned_untrained": ["rrf_tuned"]}
    assert options_of_companion(resolved, "rrf_tuned") == RRF
    assert resolved.label("rrf_tuned_untrained") == "Fused, untrained"
    assert suite("rrf").untrained == {}


def test_random_parts_of_an_untrained_fusion_follow_the_seeds_of_training():
    resolved = suite("rrf_cross", seeds=[4, 5])
    fused = options_of_companion(resolved, "rrf_cross")["systems"]
    assert [entry["options"] for entry in fused] == [MINILM, {**MINILM, "max_tokens": 32}]
    assert resolved.seeds_of("rrf_cross_untrained") == resolved.seeds_of("rrf_cross") == [4, 5]
    assert "head of random weights" in resolved.label("rrf_cross_untrained")
    assert "random" not in resolved.label("rrf_cross")


def test_a_fused_head_of_random_weights_follows_the_seed():
    entry = suite("rrf_cross").systems["rrf_cross_untrained"]
    heads = [
        next(p for n, p in entry.load(seed=seed).systems[1].model.named_parameters() if "classifier" in n)
        for seed in (1, 2, 1)
    ]  # fmt: skip
    assert not heads[0].equal(heads[1])
    assert heads[0].equal(heads[2])


def test_the_encoder_of_a_trained_model_starts_from_that_models_encoder():
    resolved = suite("narrow")
    assert options_of_companion(resolved, "narrow") == {**MINILM, "max_tokens": 8}


def test_a_saved_model_starts_from_the_options_of_its_training():
    resolved = suite("joint", "served", "windowed")
    assert resolved.untrained == {
        "joint": "joint_untrained", "served": "joint_untrained", "windowed": "windowed_untrained",
    }  # fmt: skip
    start = resolved.systems["windowed_untrained"]
    assert start.kind == "resrank"
    joint = resolved.systems["joint"].typed_options
    assert start.typed_options.encoder == joint.encoder.model_copy(update={"max_tokens": 16})
    assert start.typed_options.window.size == 4
    assert start.typed_options.reranker == joint.reranker
    assert resolved.seeds_of("windowed_untrained") == [8, 9]
    assert Plan(resolved, "out").gains("docstrings") == resolved.untrained


def test_what_only_reads_a_trained_encoder_is_an_untrained_self_and_has_no_other():
    assert suite("above").untrained == {"above": "above_untrained"}
    plain = {"systems": DEFINED | {"plain": {**SYSTEMS["above"], "training": None}}}
    assert suite("plain", define=plain).untrained == {}


def test_a_trained_language_model_that_is_served_otherwise_starts_from_its_start():
    llm = options_of_companion(suite("told"), "told")["llm"]
    assert llm == {"kind": "transformers", "model": {"encoder": MINILM["model"]}, "context": 512}


def test_the_list_of_compared_systems_may_name_them():
    resolved = suite("tuned", "rrf_tuned", untrained=["rrf_tuned"])
    assert resolved.untrained == {"rrf_tuned": "rrf_tuned_untrained"}
    with pytest.raises(ConfigError, match="untrained: rrf: not among .*: rrf_tuned"):
        suite("rrf", "rrf_tuned", untrained=["rrf"])


@pytest.fixture
def saved(tmp_path):
    """The folder of a model and its manifest, as a training job writes them."""
    folder = tmp_path / "models" / "joint" / "seed8"
    folder.mkdir(parents=True)

    def write(options):
        config = {"kind": "resrank", "options": options, "training": {}}
        path = folder.with_name("seed8.manifest.json")
        texts = {"query_instruction": "Do: {instruction}\nQuery:"}
        write_manifest(path, inputs={}, config=config, seed=8, instructions=texts, outputs=[])
        return folder

    return write


def of_folder(folder: Path):
    entry = {"kind": "resrank_saved", "options": {"model": str(folder)}, "label": "Saved"}
    return suite("saved", define={"systems": {"saved": entry}})


def test_a_folders_manifest_says_what_its_model_was_before_training(saved):
    resolved = of_folder(saved({"encoder": MINILM, "reranker": {"layers": 1}}))
    assert resolved.companions == {"saved_untrained": ["saved"]}
    start = resolved.systems["saved_untrained"]
    assert start.kind == "resrank"
    assert start.typed_options.encoder.model == MINILM["model"]
    assert start.typed_options.reranker.layers == 1


def test_the_start_of_a_saved_model_is_told_what_the_served_collection_asks(saved):
    trained = {"query_instruction": "Do: Sort the numbers\nQuery:", **MINILM}
    plan = Plan(of_folder(saved({"encoder": trained})))
    options = plan.system_entry("saved_untrained", "docstrings").options
    instruction = plan.suite.collections["docstrings"].instruction
    assert options["encoder"]["query_instruction"] == f"Do: {instruction}\nQuery:"
    assert plan.system_entry("saved", "docstrings").options["instruction"] == instruction


def test_a_model_of_unknown_start_has_a_footnote(saved, tmp_path):
    import pandas as pd

    frame = pd.DataFrame({"system": ["saved"], "companion": [False]})
    resolved = of_folder(tmp_path / "elsewhere")
    assert resolved.companions == {}
    note = gain_legend(resolved, frame)
    assert note == (
        f" No gain of Saved (no {tmp_path}/elsewhere.manifest.json says what its model was "
        "before training)."
    )
    encoder = {"model": "results/nowhere/models/bi/seed1"}
    resolved = of_folder(saved({"encoder": encoder}))
    assert "used results/nowhere/models/bi/seed1, which is not here" in gain_legend(resolved, frame)
