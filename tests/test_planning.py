"""What jobs need of each other, without Snakemake."""

import pytest

from resrank.io.yaml import ConfigError
from resrank.suite.load import load_suite
from resrank.suite.plan import Plan
from resrank.suite.schema import System

MINILM = {"model": "sentence-transformers/all-MiniLM-L6-v2"}
TINY = {"encoder": MINILM, "reranker": {"layers": 1}}
JOINT = {"stages": [{"train_encoder": True}]}


@pytest.fixture(scope="module")
def plan():
    systems = {
        "bi": {"kind": "bi_encoder", "options": MINILM},
        "frozen": {"kind": "resrank", "options": TINY, "training": {}},
        "joint": {"kind": "resrank", "options": TINY, "training": JOINT, "seeds": [7, 8]},
        "above": {"kind": "resrank", "training": {}, "seeds": [1],
                  "options": {**TINY, "encoder": {"model": "trained:tuned"}}},
        "tuned": {"kind": "bi_encoder", "options": MINILM, "training": {}, "seeds": [3]},
    }  # fmt: skip
    near = {"kind": "dense", "encoder": {"model": "trained:joint"}}
    suite = {
        "name": "x", "collections": ["docstrings"], "systems": ["bi", "frozen", "joint", "above"],
        "first_stages": ["bm25", "near"],
        "define": {"systems": systems, "first_stages": {"near": near}},
    }  # fmt: skip
    return Plan(load_suite(suite), "out")


def test_systems_of_one_encoder_share_its_embeddings(plan):
    (shared,) = plan.encoded("docstrings", "bi", 0)
    assert plan.encoded("docstrings", "frozen", 1) == [shared]
    assert plan.encoded("docstrings", "joint", 7) != [shared]
    assert plan.encoded("docstrings", "joint", 7) != plan.encoded("docstrings", "joint", 8)
    name = shared.split("/")[-1].removesuffix(".json")
    assert plan.encoders[name].models == []
    assert plan.splits_to_encode("docstrings", name) == ["train", "test"]  # `frozen` learns there


def test_dev_queries_of_a_training_are_encoded_with_the_others():
    scored = {"stages": [{}, {"dev_queries": 3}]}
    system = {"kind": "resrank", "options": TINY, "training": scored}
    suite = {"name": "x", "collections": ["docstrings"], "systems": ["frozen"]}
    plan = Plan(load_suite(suite | {"define": {"systems": {"frozen": system}}}), "out")
    (name,) = {plan.encoder_name("frozen", seed) for seed in (1, 2, 3)}
    assert plan.splits_to_encode("docstrings", name) == ["train", "dev", "test"]


def test_an_encoder_that_training_reaches_is_not_encoded_before(plan):
    assert plan.encoded_for_training("joint", 7) == []
    assert plan.encoded_for_training("frozen", 1) == plan.encoded("docstrings", "frozen", 1)
    name = plan.encoder_name("joint", 7)
    assert plan.encoders[name].models == ["out/models/joint/seed7.manifest.json"]
    assert plan.splits_to_encode("docstrings", name) == ["test"]


def test_a_system_waits_for_what_it_stands_on(plan):
    assert plan.used_models("above") == ["out/models/tuned/seed3.manifest.json"]
    options = plan.system_entry("above", "docstrings").options
    assert options["encoder"]["model"] == "out/models/tuned/seed3"
    assert plan.model("above", 1) == ["out/models/above/seed1.manifest.json"]
    assert plan.model("bi") == []
    assert plan.stage_models("near") == ["out/models/joint/seed7.manifest.json"]
    assert plan.stage_entry("near", "docstrings").encoder.model == "out/models/joint/seed7/encoder"


def test_what_learned_where_is_followed_through_first_stages(plan):
    learned = plan.learned_from("docstrings", "bm25")
    assert learned.keys() == {"frozen", "joint", "above", "above_untrained"}
    assert plan.learned_from("docstrings", "near")["bi"] == ["out/collections/docstrings"]


def test_every_seed_of_every_system_is_run(plan):
    runs = plan.runs("docstrings", "bm25")
    assert [(s, k) for s, k, _ in runs if s in ("bi", "joint")] == [
        ("bi", 0), ("joint", 7), ("joint", 8),
    ]  # fmt: skip
    assert runs[0][2] == "out/runs/docstrings/bm25/bi/seed0.trec"


@pytest.mark.parametrize(
    ("systems", "timed", "list_readers", "audits_leaks"),
    [
        (["bm25"], ["bm25"], [], False),
        (["told"], [], ["told"], False),
        (["bm25", "told", "rank_zephyr"], ["bm25", "rank_zephyr"], ["told", "rank_zephyr"], False),
        (["bm25", "resrank"], ["bm25", "resrank"], ["resrank"], True),
        (["bm25", "random"], ["bm25", "random"], [], False),
    ],
)
def test_which_tables_there_will_be(tmp_path, systems, timed, list_readers, audits_leaks):
    (tmp_path / "t.jsonl").touch()
    told = {"llm": {"kind": "replay", "transcript": str(tmp_path / "t.jsonl")}}
    random = {"reranker": "random:Qwen/Qwen3-4B"}
    defined = {"told": {"kind": "rankgpt", "options": told},
           "random": {"kind": "resrank", "options": random}}  # fmt: skip
    suite = {"name": "x", "collections": ["docstrings"], "systems": systems}
    resolved = load_suite(suite | {"define": {"systems": defined}})
    assert (resolved.timed, resolved.list_readers) == (timed, list_readers)
    assert Plan(resolved, "out").audits_leaks is audits_leaks


def test_a_leak_audit_is_planned_if_no_network_can_take_its_collection_away(tmp_path):
    def audited(**stages):
        near = {"kind": "dense", "encoder": {"model": "trained:bi_encoder_tuned"}}
        url = {"url": "http://nowhere/x.zip", "bytes": 1, "checksum": f"md5:{'0' * 32}"}
        sure, doubted = (
            {"first_stages": [stages[name]], "kind": "beir"} for name in ("sure", "doubted")
        )
        (tmp_path / "data" / "qrels").mkdir(parents=True, exist_ok=True)
        sure |= {"path": str(tmp_path / "data")}
        doubted |= {"archive": url, "optional": True}
        define = {"first_stages": {"near": near}, "collections": {"s": sure, "d": doubted}}
        suite = {"name": "x", "collections": ["s", "d"], "systems": ["bm25"], "define": define}
        return Plan(load_suite(suite), "out").audits_leaks

    assert audited(sure="near", doubted="bm25")
    assert audited(sure="near", doubted="near")
    assert not audited(sure="bm25", doubted="near")


def restricted(**more):
    suite = {
        "name": "x", "collections": ["docstrings", "few"], "systems": ["bm25", "bi", "judge"],
        "systems_on": {"docstrings": ["bi", "bm25"]}, "untrained": False,
        "define": {
            "systems": {
                "bi": {"kind": "bi_encoder", "options": MINILM, "training": {}, "seeds": [3]},
                "judge": {"kind": "cross_encoder", "options": MINILM},
            },
            "collections": {"few": {"kind": "docstrings", "test_sample": 5}},
        },
    }  # fmt: skip
    return load_suite(suite | more)


def test_a_collection_is_reported_with_its_systems_alone():
    plan = Plan(restricted(sensitivity=["judge"]), "out")
    assert [run[0] for run in plan.runs("docstrings", "bm25")] == ["bm25", "bi"]
    assert [run[0] for run in plan.runs("few", "bm25")] == ["bm25", "bi", "judge"]
    assert not any("judge" in path for path in plan.reported("docstrings", "bm25"))
    assert sum("judge" in path for path in plan.reported("few", "bm25")) == 2  # cost, sensitivity
    assert plan.suite.compared == [
        ("docstrings", "bm25", "bm25"), ("docstrings", "bm25", "bi"),
        ("few", "bm25", "bm25"), ("few", "bm25", "bi"), ("few", "bm25", "judge"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"systems_on": {"other": ["bm25"]}}, "systems_on: 'other' is not among the suite's coll"),
        ({"systems_on": {"few": ["b"]}}, "systems_on: few: 'b' is not among the suite's systems"),
        ({"systems_on": {"few": ["bm25"], "docstrings": ["bm25", "bi"]}}, "no collection is left"),
        ({"systems_on": {"docstrings": []}}, "at least 1 item"),
        ({"baseline": "judge"}, "baseline on docstrings: 'judge' is not among the suite's systems"),
    ],
)
def test_systems_on_must_name_what_the_suite_has(more, message):
    with pytest.raises(ConfigError, match=message):
        restricted(**more)


def test_systems_that_only_a_skipped_collection_compares_are_left_out():
    far = {"kind": "candidates", "path": "no.json", "qrels": "no.txt", "optional": True}
    resolved = load_suite(
        {
            "name": "x",
            "collections": ["docstrings", "far"],
            "systems": ["bm25", "bi_encoder", "resrank"],
            "systems_on": {"docstrings": ["bm25", "bi_encoder"], "far": ["bm25", "resrank"]},
            "sensitivity": ["resrank"],
            "define": {
                "collections": {"far": far | {"first_stages": ["lists"]}},
                "first_stages": {"lists": {"kind": "imported"}},
            },
        }
    )
    assert list(resolved.skipped) == ["far"]
    assert resolved.suite.systems == resolved.timed == ["bm25", "bi_encoder"]
    assert resolved.trained == resolved.list_readers == resolved.suite.sensitivity == []


def test_the_query_instruction_is_the_collections_and_changes_no_embedding(tmp_path):
    told = {
        "kind": "bi_encoder",
        "options": {"query_instruction": "Instruct: {instruction}\nQuery:"},
    }
    fused = {"kind": "rank_fusion", "options": {"system": told}}
    define = {
        "collections": {"law": {"kind": "docstrings", "instruction": "Find the law"}},
        "first_stages": {"near": {"kind": "dense", "encoder": told["options"]}},
        "systems": {"told": told, "fused": fused},
    }
    suite = {"name": "x", "collections": ["law", "scifact"], "systems": ["told", "fused"]}
    suite |= {"first_stages": ["bm25", "near"], "define": define}
    plan = Plan(load_suite(suite))
    of_law = plan.system_entry("told", "law").options["query_instruction"]
    assert of_law == "Instruct: Find the law\nQuery:"
    of_scifact = plan.system_entry("told", "scifact").options["query_instruction"]
    assert of_scifact.startswith("Instruct: Given a scientific claim, retrieve")
    nested = plan.system_entry("fused", "law").options["system"]["options"]
    assert nested["query_instruction"] == of_law
    assert plan.stage_entry("near", "law").encoder.query_instruction == of_law
    assert len(plan.encoders) == 1
    assert plan.instructions("told") == told["options"]


def test_a_saved_model_is_told_the_instruction_of_the_collection_that_it_serves():
    saved = {"kind": "resrank_saved", "options": {"model": "models/x"}}
    told = {"model": "models/x", "instruction": "Find everything"}
    systems = {
        "saved": saved,
        "fused": {"kind": "rank_fusion", "options": {"system": saved}},
        "told": {"kind": "resrank_saved", "options": told},
    }
    collections = {"law": {"kind": "docstrings", "instruction": "Find the law"}}
    define = {"systems": systems, "collections": collections}
    suite = {"name": "x", "collections": ["law", "docstrings"], "systems": [*systems]}
    plan = Plan(load_suite(suite | {"define": define}))
    assert plan.system_entry("saved", "law").options["instruction"] == "Find the law"
    elsewhere = plan.suite.collections["docstrings"].instruction
    assert plan.system_entry("saved", "docstrings").options["instruction"] == elsewhere
    fused = plan.system_entry("fused", "law").options["system"]["options"]
    assert fused == {"model": "models/x", "instruction": "Find the law"}
    assert plan.system_entry("told", "law").options == told


def test_a_system_uses_the_model_of_its_own_seed():
    """A seed that the model lacks uses the model's first; an untrained system has its seeds."""
    systems = {
        "tuned": {"kind": "bi_encoder", "options": MINILM, "training": {}, "seeds": [1, 2]},
        "above": {"kind": "resrank", "training": {}, "seeds": [2, 3],
                  "options": {**TINY, "encoder": {"model": "trained:tuned"}}},
        "joint": {"kind": "resrank", "options": TINY, "training": JOINT, "seeds": [4, 5]},
        "part": {"kind": "bi_encoder", "options": {"model": "trained:joint/encoder"}},
        "saved": {"kind": "resrank_saved", "options": {"model": "trained:joint"}},
    }  # fmt: skip
    suite = {"name": "x", "collections": ["docstrings"], "systems": list(systems)}
    plan = Plan(load_suite(suite | {"define": {"systems": systems}}), "out")
    model = lambda system, seed: plan.system_entry(system, "docstrings", seed).options  # noqa: E731
    assert model("above", 2)["encoder"]["model"] == "out/models/tuned/seed2"
    assert model("above", 3)["encoder"]["model"] == "out/models/tuned/seed1"
    assert plan.used_models("above", 2) == ["out/models/tuned/seed2.manifest.json"]
    assert plan.suite.seeds_of("part") == plan.suite.seeds_of("saved") == [4, 5]
    assert model("part", 5)["model"] == "out/models/joint/seed5/encoder"
    assert plan.encoded("docstrings", "part", 5) == plan.encoded("docstrings", "joint", 5)
    assert plan.encoded("docstrings", "above", 2) == plan.encoded("docstrings", "tuned", 2)
    assert plan.suite.seeds_of("above_untrained") == [2, 3]
    assert plan.models_of_all_seeds("part") == [
        "out/models/joint/seed4.manifest.json", "out/models/joint/seed5.manifest.json"
    ]  # fmt: skip


def test_options_that_differ_on_a_collection():
    """ICR asks for an answer where its authors do, and for information elsewhere."""
    collections = ["trec_covid", "scifact"]
    plan = Plan(load_suite({"name": "s", "collections": collections, "systems": ["icr_7b"]}))
    covid, scifact = (plan.system_entry("icr_7b", name).typed_options for name in collections)
    assert covid.closing.startswith("Please answer the following question")
    assert scifact.closing.startswith("Please find information")
    assert (covid.llm, covid.reverse) == (scifact.llm, scifact.reverse)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"options_on": {"c": {"closng": "x"}}}, "closng"),
        ({"options_on": {"c": {}}, "kind": "bi_encoder", "options": {}, "training": {}}, "not trained"),
    ],
)  # fmt: skip
def test_wrong_options_on_a_collection_are_refused(changed, message):
    entry = {"kind": "icr", "options": {"llm": {"kind": "transformers", "model": "m"}}}
    with pytest.raises(ValueError, match=message):
        System.model_validate(entry | changed)
    assert "options_on" not in System.model_validate(entry).model_dump()
