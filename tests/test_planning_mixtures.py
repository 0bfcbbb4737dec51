"""Training on several collections in a planned suite: entries, files, jobs, audits."""

import json
from pathlib import Path

import pytest
import yaml

from resrank.candidates.freeze import freeze
from resrank.io.collection import Collection
from resrank.io.hashing import sha256_file
from resrank.io.yaml import ConfigError
from resrank.jobs.encode import encode
from resrank.jobs.from_suite import SuiteJobs
from resrank.jobs.rerank import rerank
from resrank.jobs.train import train
from resrank.jobs.training_sources import dev_score, examples_of
from resrank.records import Ranking, Split
from resrank.reporting.plan.plan import plan as plan_text
from resrank.reranker_options import TeacherWork
from resrank.suite.load import load_suite
from resrank.suite.merged_suite import load_merged, write_merged
from resrank.suite.plan import Plan
from tests.conftest import PASSAGES, QUERIES, write_beir
from tests.entries import parse_collection, parse_first_stage

TOLD = "Instruct: {instruction} Query: "
ENCODER = {"model": "sentence-transformers/all-MiniLM-L6-v2", "layers": 1, "max_tokens": 32,
           "query_instruction": TOLD, "dtype": "float32"}  # fmt: skip
OPTIONS = {"encoder": ENCODER, "query_slot": True,
           "reranker": {"layers": 1, "heads": 2, "intermediate": 64}}  # fmt: skip
STAGES = {"stages": [
    {"negatives": "sampled", "list_length": 3, "batch_queries": 2},
    {"teacher": "system:backwards", "list_length": 4, "batch_queries": 2, "dev_queries": 4,
     "share": [0, 1]},
]}  # fmt: skip
BACKWARDS = {"kind": "tests.training.teachers:Backwards"}
QRELS = {
    "test": [("q1", "p1", 1)],
    "dev": [("q2", "p4", 1)],
    "train": [("q3", "p2", 1), ("q4", "p5", 1)],
}


def suite_of(folder, trained_on, **more):
    """A suite over two folders with the same ids and different texts."""
    collections = {}
    for name in ("one", "two"):
        if not (folder / name).exists():
            texts = {p: f"{text} By {name}, an array." for p, text in PASSAGES.items() if text}
            texts["p5"] = f"{PASSAGES['p1']} By one, an array."  # a leak, from a passage of test
            texts["p5"] += " Again." * (name == "one")
            write_beir(folder / name, texts, QUERIES, QRELS)
        collections[name] = {"kind": "beir", "path": str(folder / name),
                             "instruction": f"Search {name}."}  # fmt: skip
    pupil = {"kind": "resrank", "options": OPTIONS, "training": STAGES, "trained_on": trained_on}
    define = {"collections": collections,
              "systems": {"pupil": {**pupil, **more}, "backwards": BACKWARDS}}  # fmt: skip
    return {"name": "s", "collections": ["one", "two"], "systems": ["pupil"], "seeds": [1],
            "untrained": False, "define": define}  # fmt: skip


@pytest.mark.parametrize(
    ("trained_on", "mixture"),
    [
        ("two", {"two": 1}),
        ("auto", {"one": 1}),
        (["two", "one"], {"one": 1, "two": 1}),
        ({"two": 2, "one": 0.5}, {"one": 0.5, "two": 2}),
        ({"two": 3}, {"two": 3}),
    ],
)
def test_a_name_a_list_and_weights(trained_on, mixture, tmp_path):
    suite = suite_of(tmp_path, trained_on)
    resolved = load_suite(suite)
    assert resolved.mixture("pupil") == mixture
    assert list(resolved.mixture("pupil")) == resolved.trained_on("pupil") == sorted(mixture)
    written = resolved.systems["pupil"].model_dump(mode="json")
    assert written["trained_on"] == trained_on  # as the user wrote it


WRONG = {
    "a name twice": (["one", "one"], r"one occurs twice; for a larger share give weights: \{one: 2"),
    "auto in a mixture": ({"auto": 1, "one": 1}, "a mixture names its collections; `auto` stands"),
    "no weight": ({"one": 0, "two": 1}, r"trained_on.one: Input should be greater than 0"),
    "a text as weight": ({"one": "much"}, r"trained_on.one: Input should be a valid number"),
    "nothing": ([], r"trained_on: List should have at least 1 item"),
    "an unknown name": (["one", "three"], "unknown collection 'three'"),
    "no train split": (["one", "noveleval"], "noveleval"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_mixture_is_refused(case, tmp_path):
    trained_on, message = WRONG[case]
    with pytest.raises(ConfigError, match=message):
        load_suite(suite_of(tmp_path, trained_on))


def test_an_instruction_that_a_training_cannot_fill_in_is_refused(tmp_path):
    options = OPTIONS | {"closing": "Remember: {instruction}"}
    load_suite(suite_of(tmp_path, "one", options=options))
    message = (
        r"system 'pupil' is trained on several collections.* into `closing` query by query "
        r"\(allowed: instruction, query_instruction\)"
    )
    with pytest.raises(ConfigError, match=message):
        load_suite(suite_of(tmp_path, ["one", "two"], options=options))
    llm = {"kind": "transformers", "model": {"layers": 1}}
    judge = {"kind": "rag_match", "training": {},
             "options": {"llm": llm, "instruction": "{instruction}"}}  # fmt: skip
    with pytest.raises(ConfigError, match=r"kind 'rag_match' .*`instruction`.* \(allowed: none\)"):
        load_suite(suite_of(tmp_path, ["one", "two"], **judge))


MIXED = {"one": 1, "two": 2}
RUN = "out/teachers/{}/bm25/backwards/seed0.trec"


def test_the_plan_of_a_mixture(tmp_path):
    plan = Plan(load_suite(suite_of(tmp_path, MIXED)), "out")
    names = ["one", "two"]
    assert plan.training_lists("pupil") == [f"out/candidates/{n}/bm25.parquet" for n in names]
    assert plan.training_collections("pupil") == [
        f"out/collections/{n}/manifest.json" for n in names
    ]
    assert (
        plan.teacher_runs("pupil") == plan.training_files("pupil") == [RUN.format(n) for n in names]
    )
    for name in names:
        assert plan.teaching_work(name, "bm25", "backwards") == [
            TeacherWork("backwards", (0, 1), 4)
        ]
    entry = plan.training_entry("pupil", 1)
    assert entry.training["stages"][1]["teacher"] == RUN.format("{collection}")
    assert entry.options["encoder"]["query_instruction"] == TOLD
    served = plan.system_entry("pupil", "two", 1)
    assert served.options["encoder"]["query_instruction"] == "Instruct: Search two. Query: "
    encoded = plan.encoded_for_training("pupil", 1)
    assert [path.split("/")[2] for path in encoded] == names
    encoder = Path(encoded[0]).stem
    assert plan.splits_to_encode("two", encoder) == ["train", "dev", "test"]
    learned = plan.learned_from("one", "bm25")
    assert learned == {n: [f"out/collections/{c}" for c in names] for n in ("pupil",)}
    text = plan_text(plan.suite)
    assert "  pupil: trained on one (33%), two (67%), 2 runs, 2 measurements" in text


def test_one_collection_has_the_entry_that_it_always_had(tmp_path):
    plan = Plan(load_suite(suite_of(tmp_path, "two")), "out")
    assert plan.training_entry("pupil", 1) == plan.system_entry("pupil", "two", 1)
    assert plan.training_entry("pupil").training["stages"][1]["teacher"] == RUN.format("two")
    assert plan.training_entry("pupil").options["encoder"]["query_instruction"] == (
        "Instruct: Search two. Query: "
    )


def test_a_teachers_file_of_each_collection_must_exist(tmp_path):
    stages = {"stages": [{"teacher": str(tmp_path / "{collection}.trec")}]}
    (tmp_path / "one.trec").write_text("q3 Q0 p2 1 2 x\n")
    load_suite(suite_of(tmp_path, "one", training=stages))
    with pytest.raises(ConfigError, match=r"'pupil': no teacher .*two\.trec"):
        load_suite(suite_of(tmp_path, MIXED, training=stages))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The jobs of the suite, after those of the pupil's training and of a run on each collection."""
    folder = tmp_path_factory.mktemp("mixture")
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite_of(folder, MIXED)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        jobs = SuiteJobs(folder / "suite.yaml")
        plan = jobs.plan
        for name in ("one", "two"):
            entry = {"kind": "beir", "path": str(folder / name), "instruction": f"Search {name}."}
            parse_collection(entry).collect(Path(plan.collection(name)))
            lists = Path(plan.candidates(name, "bm25"))
            freeze(
                Collection(Path(plan.collection(name))), parse_first_stage({"kind": "bm25"}), lists
            )
            rerank(jobs.teach(name, "bm25", "backwards", None))
            encode(jobs.encode(name, Path(plan.encoded_for_training("pupil", 1)[0]).stem))
        train(jobs.train("pupil", 1))
        for name in ("one", "two"):
            rerank(jobs.rerank(name, "bm25", "pupil", 1))
        yield jobs


def test_a_training_depends_on_every_collection_list_and_teacher(trained):
    plan = trained.plan
    manifest = json.loads(Path(f"{plan.model_folder('pupil')}.manifest.json").read_text())
    inputs = manifest["inputs"]
    for name in ("one", "two"):
        assert inputs[f"collection {name}"] == Collection(Path(plan.collection(name))).hash
        assert inputs[f"candidates {name}"] == sha256_file(Path(plan.candidates(name, "bm25")))
        run = plan.teaching(name, "bm25", "backwards", 0)
        assert inputs[run] == sha256_file(Path(run))
    assert inputs["collection one"] != inputs["collection two"]
    assert manifest["config"]["trained_on"] == MIXED


def test_every_stage_takes_its_queries_by_the_weights(trained):
    about = json.loads(Path(trained.plan.model_folder("pupil"), "resrank.json").read_text())
    counts = [stage["queries_used_of"] for stage in about["provenance"]["stages"]]
    assert counts == [{"one": 1, "two": 3}, {"one": 1, "two": 1}]  # one list each has two passages


def test_dev_queries_of_both_collections_are_scored_under_their_own_labels(trained):
    log = Path(f"{trained.plan.model_folder('pupil')}.log.jsonl").read_text().splitlines()
    scores = [row["dev_score"] for row in map(json.loads, log) if "dev_score" in row]
    assert len(scores) == 1
    assert 0 < scores[0] <= 1
    sources = trained.train("pupil", 1).sources
    dev = examples_of(sources, Split.DEV)
    assert [e.query.id for e in dev] == ["one/q2", "two/q2"]
    assert [e.query.instruction for e in dev] == ["Search one.", "Search two."]
    perfect = [Ranking(e.query.id, ("p4", "p1"), (2.0, 1.0)) for e in dev]
    assert dev_score(sources)(perfect) == 1
    half = [perfect[0], Ranking("two/q2", ("p1",), (1.0,))]
    assert dev_score(sources)(half) == 0.5


def test_the_leak_audit_covers_every_collection_of_the_mixture(trained):
    trained.score("one", "bm25").run()
    audits = json.loads(Path(trained.plan.audits("one", "bm25")).read_text())
    (leak,) = [row["leak"] for row in audits["systems"] if row["system"] == "pupil"]
    assert leak["trained_on"] == "one, two"
    assert leak["overlap"] == 1  # the one test positive is a training positive of the other


def test_the_merged_suite_holds_the_whole_mixture(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = Plan(trained.suite)
    write_merged(plan)
    again = load_merged(tmp_path / plan.suite_file)
    assert again.mixture("pupil") == MIXED
    assert Plan(again).training_entry("pupil", 1) == plan.training_entry("pupil", 1)
