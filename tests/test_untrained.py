"""Untrained selves of trained systems: which a suite gets, their seeds, labels and jobs."""

from pathlib import Path

import pytest

from resrank.io.yaml import ConfigError
from resrank.reporting.plan.plan import plan as plan_text
from resrank.suite.load import load_suite
from resrank.suite.merged_suite import load_merged, merged_hash, write_merged
from resrank.suite.plan import Plan
from tests.conftest import ROOT

MINILM = {"model": "sentence-transformers/all-MiniLM-L6-v2"}
TINY = {"encoder": MINILM, "reranker": {"layers": 1}}
SYSTEMS = {
    "bi": {"kind": "bi_encoder", "options": MINILM, "label": "Bi-encoder"},
    "tuned": {"kind": "bi_encoder", "options": MINILM, "training": {}, "seeds": [3]},
    "short": {"kind": "bi_encoder", "options": {**MINILM, "max_tokens": 16}, "training": {}},
    "full": {"kind": "resrank", "options": TINY, "training": {}, "seeds": [7, 8], "label": "R"},
    "joint": {"kind": "resrank", "options": {**TINY, "residual_weight": 1}, "seeds": [8, 9],
              "training": {"stages": [{"train_encoder": True}]}},
    "none": {"kind": "resrank", "options": {**TINY, "residual_weight": 0}, "training": {}},
    "above": {"kind": "resrank", "options": {**TINY, "encoder": {"model": "trained:tuned"}},
              "training": {}},
    "cross": {"kind": "cross_encoder", "options": MINILM, "training": {}, "threads": 1},
    "cost": {"kind": "resrank", "options": {"reranker": "random:Qwen/Qwen3-4B"}},
}  # fmt: skip


def suite(*systems, **more):
    define = {"systems": SYSTEMS, "collections": {"few": {"kind": "docstrings", "test_sample": 5}}}
    return load_suite(
        {"name": "x", "collections": ["docstrings"], "systems": list(systems), "define": define}
        | more
    )


def test_a_companion_follows_its_system_with_the_same_options_and_no_training():
    resolved = suite("full", "bi", "short")
    assert resolved.suite.systems == ["full", "full_untrained", "bi", "short", "short_untrained"]
    trained, companion = (resolved.systems[f"full{ending}"] for ending in ("", "_untrained"))
    assert companion.training is None
    assert (companion.kind, companion.options) == (trained.kind, trained.options)
    assert resolved.given.systems == ["full", "bi", "short"]


def test_a_compared_system_of_the_same_options_is_the_untrained_self():
    resolved = suite("bi", "tuned")
    assert resolved.untrained == {"tuned": "bi"}
    assert resolved.companions == {}
    assert resolved.suite.systems == ["bi", "tuned"]


def test_systems_that_differ_in_training_alone_share_a_companion_with_the_seeds_of_both():
    resolved = suite("joint", "full", "none", ablation="full")
    assert resolved.companions == {
        "full_untrained": ["full", "joint"], "none_untrained": ["none"],
    }  # fmt: skip
    assert resolved.seeds_of("full_untrained") == [7, 8, 9]  # their new decoders start from these
    assert resolved.seeds_of("none_untrained") == [1, 2, 3]


def test_an_untrained_self_without_random_weights_has_one_seed():
    assert suite("short").seeds_of("short_untrained") == [0]


def test_labels_say_untrained_once():
    labels = suite("full", "short", "cross", "bi").labels
    assert labels["full_untrained"] == "R, untrained (random weights)"
    assert labels["short_untrained"] == "short, untrained"
    assert labels["cross_untrained"] == "cross, untrained (head of random weights)"
    assert labels["bi"] == "Bi-encoder"


def test_an_untrained_self_keeps_the_encoder_that_another_system_trains():
    plan = Plan(suite("above"), "out")
    model = "out/models/tuned/seed3"
    assert plan.system_entry("above_untrained", "docstrings").options["encoder"]["model"] == model
    assert plan.used_models("above_untrained") == [f"{model}.manifest.json"]
    assert plan.model("above_untrained") == []
    assert plan.learned_from("docstrings", "bm25").keys() == {"above", "above_untrained"}


def test_companions_are_reranked_and_scored_but_not_timed():
    plan = Plan(suite("full"), "out")
    runs = [(system, seed) for system, seed, _ in plan.runs("docstrings", "bm25")]
    assert runs == [("full", 7), ("full", 8), ("full_untrained", 7), ("full_untrained", 8)]
    assert not any("untrained" in path for path in plan.reported("docstrings", "bm25"))
    assert plan.suite.timed == ["full"]
    assert plan.suite.trained == ["full"]
    assert plan.gains("docstrings") == {"full": "full_untrained"}


def test_random_weights_of_companions_do_not_hide_scores():
    assert not suite("full", "cross").costs_alone
    hidden = suite("full", "cost")
    assert hidden.costs_alone
    assert hidden.companions == {}


@pytest.mark.parametrize(
    ("untrained", "companions"),
    [(True, ["full", "short"]), (False, []), (["short"], ["short"]), ([], [])],
)
def test_a_suite_chooses_which_systems_are_compared_with_their_untrained_selves(
    untrained, companions
):
    resolved = suite("full", "short", untrained=untrained)
    assert list(resolved.companions) == [f"{name}_untrained" for name in companions]


def test_a_companion_goes_where_its_systems_go():
    collections = {"collections": ["docstrings", "few"]}
    resolved = suite("bi", "full", "short", systems_on={"few": ["short"]}, **collections)
    assert resolved.suite.systems_of("few") == ["short", "short_untrained"]
    assert resolved.suite.systems_of("docstrings") == [
        "bi", "full", "full_untrained", "short", "short_untrained",
    ]  # fmt: skip
    # An untrained system serves only where it is compared on all collections of the trained one.
    assert suite("bi", "tuned", systems_on={"few": ["tuned"]}, **collections).companions == {
        "tuned_untrained": ["tuned"]
    }
    assert not suite("bi", "tuned", systems_on={"few": ["bi"]}, **collections).companions


@pytest.mark.parametrize(
    ("systems", "more", "message"),
    [
        (["bi", "full"], {"untrained": ["bi"]}, "untrained: bi: not among .* trained systems: full"),
        (["bi"], {"untrained": ["full"]}, "untrained: full: not among .*: none is trained"),
        (["full"], {"baseline": "full_untrained"}, "baseline: 'full_untrained' is not among"),
    ],
)  # fmt: skip
def test_mistakes_are_named(systems, more, message):
    with pytest.raises(ConfigError, match=message):
        suite(*systems, **more)


def test_a_name_that_is_taken_is_an_error():
    taken = {"full": SYSTEMS["full"], "full_untrained": SYSTEMS["bi"]}
    define = {"define": {"systems": taken}}
    with pytest.raises(ConfigError, match="'full_untrained' is not the untrained self of 'full'"):
        suite("full", **define)
    assert suite("full", untrained=False, **define).companions == {}


def test_an_entry_that_is_the_untrained_self_need_not_be_listed(tmp_path):
    before = {key: SYSTEMS["full"][key] for key in ("kind", "options")} | {"label": "Before"}
    systems = {"full": SYSTEMS["full"], "full_untrained": before}
    resolved = suite("full", define={"systems": systems})
    assert resolved.companions == {"full_untrained": ["full"]}
    plan = Plan(resolved, str(tmp_path))
    write_merged(plan)
    again = load_merged(Path(plan.suite_file))
    assert again.companions == resolved.companions
    assert again.systems == resolved.systems


def test_an_untrained_self_that_is_compared_elsewhere_is_named():
    alike = {"full": SYSTEMS["full"], "full_untrained": {"kind": "resrank", "options": TINY}}
    more = {"define": {"systems": alike, "collections": {"few": {"kind": "docstrings"}}}}
    more |= {"collections": ["docstrings", "few"], "systems_on": {"few": ["full"]}}
    with pytest.raises(ConfigError, match="'full_untrained' .* not compared on each collection"):
        suite("full", "full_untrained", **more)


@pytest.mark.parametrize("listed", [[], ["BertModel"], ["BertForSequenceClassification"]])
def test_seeds_do_not_depend_on_which_models_are_here(listed, monkeypatch):
    monkeypatch.setattr("resrank.model.hub.architectures", lambda *_: listed)
    assert suite("cross").seeds_of("cross_untrained") == [1, 2, 3]


def test_a_companion_that_becomes_a_compared_system_joins_the_family_of_comparisons():
    alike = {"full": SYSTEMS["full"], "full_untrained": {"kind": "resrank", "options": TINY}}
    define = {"define": {"systems": alike}}
    companion, listed = suite("full", **define), suite("full", "full_untrained", **define)
    assert companion.untrained == listed.untrained
    families = [Plan(each, "out").families("docstrings") for each in (companion, listed)]
    assert families[0]["untrained"] == {"full": "full_untrained"}
    assert families[0]["companions"] == ["full_untrained"]
    assert families[0]["ablation"] is None
    assert families[1]["companions"] == []
    assert [each.seeds_of("full_untrained") for each in (companion, listed)] == [[7, 8], [7, 8]]


def test_the_choice_changes_what_jobs_run():
    assert merged_hash(Plan(suite("full"))) != merged_hash(Plan(suite("full", untrained=False)))


def test_a_plan_lists_companions_without_measurements():
    text = plan_text(suite("full", "short"))
    assert "  full: trained on docstrings, 2 runs, 1 measurements" in text
    assert "  full_untrained: untrained, for comparison with full, 2 runs\n" in text


def test_the_ablation_shares_companions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    resolved = load_suite(ROOT / "config" / "ablation.yaml")
    assert "nfcorpus" in resolved.skipped  # so that its systems need no files
    compared = [n for n in resolved.given.systems if resolved.systems[n].training is not None]
    assert set(resolved.untrained) == set(compared)
    assert len(resolved.companions) < len(compared)
    assert "docstrings_no_teacher" in resolved.companions["docstrings_full_untrained"]
