"""Teachers in a planned suite: their runs, what their pupils depend on, cycles."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from resrank.io.hashing import sha256_file
from resrank.io.manifest import Damaged
from resrank.io.yaml import ConfigError
from resrank.jobs.from_suite import SuiteJobs
from resrank.jobs.merge_shards import merge_runs
from resrank.jobs.rerank import rerank
from resrank.jobs.train import train
from resrank.model.embedding_store import ROW
from resrank.records import Candidate, Passage, Query
from resrank.reranker_options import TeacherWork
from resrank.shards import Shard
from resrank.suite.load import load_suite
from resrank.suite.merged_suite import load_merged, write_merged
from resrank.suite.plan import Plan
from resrank.training.teacher import read_rankings
from tests.conftest import write_beir
from tests.job_helpers import with_candidates
from tests.llm.http_reranker import WINDOW
from tests.llm.test_transcript import Model, system
from tests.shapes import save_bert

MINILM = {"model": "sentence-transformers/all-MiniLM-L6-v2"}
TINY = {"encoder": MINILM, "reranker": {"layers": 1, "heads": 2}}
BACKWARDS = {"kind": "tests.training.teachers:Backwards"}


def taught(*stages, **more):
    return {"kind": "resrank", "options": TINY, "training": {"stages": list(stages)}, **more}


def by(teacher, **more):
    return {"teacher": f"system:{teacher}", **more}


def suite_of(systems, *names, **more):
    return {"name": "x", "collections": ["docstrings"], "systems": list(names), "seeds": [1, 2],
            "define": {"systems": systems}} | more  # fmt: skip


@pytest.fixture(scope="module")
def plan():
    systems = {
        "pupil": taught({}, by("cross_encoder_fused", list_length=30, share=[0.5, 1])),
        "other": taught(by("cross_encoder_fused", list_length=50, share=[0, 0.2])),
        "encoder": {"kind": "bi_encoder", "options": MINILM,
                    "training": {"negative_filter": by("cross_encoder_hard")}},
    }  # fmt: skip
    return Plan(load_suite(suite_of(systems, "pupil", "other", "encoder")), "out")


FUSED_RUN = "out/teachers/docstrings/bm25/cross_encoder_fused/seed1.trec"


def test_a_pupil_is_trained_on_its_teachers_run(plan):
    assert plan.training_files("pupil") == plan.teacher_runs("pupil") == [FUSED_RUN]
    stages = plan.training_entry("pupil").training["stages"]
    assert [stage.get("teacher") for stage in stages] == [None, FUSED_RUN]
    assert plan.training_entry("pupil").typed_training.teachers == ()
    filtered = "out/teachers/docstrings/bm25/cross_encoder_hard/seed1.trec"
    assert plan.training_files("encoder") == [filtered]
    assert plan.job_for(FUSED_RUN) == (
        "job teach --collection docstrings --first-stage bm25 --system cross_encoder_fused --seed 1"
    )


def test_a_teacher_ranks_what_all_its_pupils_need(plan):
    work = plan.teaching_work("docstrings", "bm25", "cross_encoder_fused")
    assert work == [
        TeacherWork("cross_encoder_fused", (0, 0.2), 50),
        TeacherWork("cross_encoder_fused", (0.5, 1), 30),
    ]
    assert plan.teaching_work("docstrings", "bm25", "cross_encoder_hard") == [
        TeacherWork("cross_encoder_hard")
    ]
    assert plan.teaching_work("docstrings", "fusion", "cross_encoder_fused") == []


def test_a_teacher_is_trained_before_its_pupils(plan):
    trained = plan.suite.trained
    assert trained.index("cross_encoder_hard") < trained.index("pupil")
    assert plan.suite.teachers == ["cross_encoder_fused", "cross_encoder_hard"]
    hard = "out/models/cross_encoder_hard/seed1.manifest.json"
    assert plan.used_models("cross_encoder_fused") == [hard]
    assert "fusion" in plan.suite.needed_stages  # whose lists the cross-encoder is trained on


def test_the_leak_audit_follows_the_teacher(tmp_path):
    write_beir(tmp_path / "beir")
    systems = {
        "pupil": taught(by("fused"), trained_on="docstrings"),
        "fused": {"kind": "rank_fusion",
                  "options": {"system": {"kind": "cross_encoder", "options": {"model": "trained:ce"}}}},
        "ce": {"kind": "cross_encoder", "training": {}, "trained_on": "mine"},
    }  # fmt: skip
    suite = suite_of(systems, "pupil")
    suite["define"]["collections"] = {"mine": {"kind": "beir", "path": str(tmp_path / "beir")}}
    resolved = load_suite(suite)
    assert resolved.learns_from("pupil") == ["docstrings", "mine"]
    assert resolved.only_learned_from == ["mine"]
    learned = Plan(resolved, "out").learned_from("docstrings", "bm25")
    assert learned == {"pupil": ["out/collections/docstrings", "out/collections/mine"]}


def test_jobs_read_the_teachers_from_the_merged_suite(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    merged = Plan(plan.suite)
    write_merged(merged)
    again = load_merged(tmp_path / merged.suite_file)
    assert again.systems.keys() == plan.suite.systems.keys()
    assert Plan(again, "out").teacher_runs("pupil") == [FUSED_RUN]


CYCLES = {
    "itself": ({"a": taught(by("a"))}, "'a' uses itself or teaches itself: a -> a"),
    "each other": (
        {"a": taught(by("b")), "b": taught({}, by("a"))},
        "teaches itself: a -> b -> a, by .*name another model or another teacher",
    ),
    "its model": (
        {"a": taught(by("b")), "b": {"kind": "resrank_saved", "options": {"model": "trained:a"}}},
        "teaches itself: a -> b -> a",
    ),
    "its filter": (
        {"a": {"kind": "cross_encoder", "training": {"negative_filter": by("a")}}},
        "teaches itself: a -> a",
    ),
    "unknown": ({"a": taught(by("nobody"))}, "unknown system 'nobody'; known: .*cross_encoder"),
}


@pytest.mark.parametrize("case", CYCLES)
def test_a_system_that_teaches_itself_is_refused(case):
    systems, message = CYCLES[case]
    with pytest.raises(ConfigError, match=message):
        load_suite(suite_of(systems, "a"))


def test_a_transcript_as_a_teacher_is_refused_and_one_that_is_replayed_is_planned(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"key": "k", "prompt": [], "text": "[1]"}) + "\n")
    with pytest.raises(ConfigError, match=r"'pupil': teacher .*t\.jsonl:1: .*kind: replay"):
        load_suite(suite_of({"pupil": taught({"teacher": str(path)})}, "pupil"))
    with pytest.raises(
        ConfigError, match="'pupil': no teacher nowhere.trec .* write `system:nowhere.trec` for"
    ):
        load_suite(suite_of({"pupil": taught({"teacher": "nowhere.trec"})}, "pupil"))
    replays = {"kind": "rankgpt", "options": {"llm": {"kind": "replay", "transcript": str(path)}}}
    plan = Plan(load_suite(suite_of({"pupil": taught(by("r")), "r": replays}, "pupil")), "out")
    assert plan.training_files("pupil") == ["out/teachers/docstrings/bm25/r/seed0.trec"]
    assert plan.files("r") == [str(path)]


FROZEN = {"batch_queries": 1, "list_length": 4, "order": "first_stage"}


def jobs_of(folder, teacher, systems):
    """The jobs of a small suite whose one compared system learns from a teacher."""
    pupil = {"pupil": taught(by(teacher, **FROZEN), seeds=[1])}
    with_candidates(folder, pupil)
    suite = yaml.safe_load((folder / "suite.yaml").read_text())
    suite["define"]["systems"] |= systems
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    return SuiteJobs(folder / "suite.yaml")


def pretend_encoded(jobs):
    """Write the completion files of embeddings, which training makes if the store is empty."""
    for path in jobs.plan.encoded_for_training("pupil", 1):
        Path(path).parent.mkdir(parents=True)
        Path(path).write_text("{}")


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return jobs_of(tmp_path, "backwards", {"backwards": BACKWARDS})


def test_a_teachers_run_covers_the_training_queries_with_its_scores(jobs):
    job = jobs.teach("mine", "bm25", "backwards", None)
    rerank(job)
    lines = [line.split("\t") for line in job.out.read_text().splitlines()]
    assert {line[0] for line in lines} == {"q3", "q4"}  # the train split, and no test query
    assert {line[-1] for line in lines} == {"backwards"}
    assert max(sum(line[0] == q for line in lines) for q in ("q3", "q4")) <= 4
    top = [float(line[4]) for line in lines if line[0] == "q4"]
    assert top == [10.0 * place for place in reversed(range(len(top)))]  # the teacher's scores
    manifest = json.loads(job.out.with_suffix(".manifest.json").read_text())
    assert manifest["system"] == "backwards"
    assert manifest["outputs"].keys() == {"seed0.trec", "seed0.usage.parquet"}


def test_shards_of_a_teachers_run_make_the_same_run(jobs, monkeypatch):
    monkeypatch.setattr("resrank.jobs.rerank.BLOCK", 1)
    whole = jobs.teach("mine", "bm25", "backwards", None)
    rerank(whole)
    content = whole.out.read_bytes()
    shards = [jobs.teach("mine", "bm25", "backwards", None, Shard(n, 2)) for n in range(2)]
    for shard in shards:
        rerank(shard)
    assert all(0 < len(shard.out.read_bytes()) < len(content) for shard in shards)
    merge_runs([shard.out for shard in shards], whole.out)
    assert whole.out.read_bytes() == content


def test_each_query_is_ranked_to_the_depth_that_its_own_pupils_need(jobs):
    job = jobs.teach("mine", "bm25", "backwards", None)

    def ranked(*work):
        return {q.id: len(listed) for q, listed in replace(job, work=work).requests()}

    early, late = (TeacherWork("backwards", half) for half in ((0, 0.5), (0.5, 1)))
    ((first, _),), ((second, _),) = (ranked(part).items() for part in (early, late))
    lengths = ranked(TeacherWork("backwards"))
    assert lengths.keys() == {first, second}
    assert max(lengths.values()) > 1
    for shallow, deep, query in ((early, late, first), (late, early, second)):
        depths = ranked(shallow._replace(depth=1), deep._replace(depth=3))
        assert depths == {q: min(n, 1 if q == query else 3) for q, n in lengths.items()}
    overlapping = ranked(early._replace(depth=1), TeacherWork("backwards", depth=2))
    assert overlapping == {q: min(n, 2) for q, n in lengths.items()}
    assert ranked(early._replace(depth=1), late) == lengths | {first: 1}


def test_a_shard_embeds_what_it_ranks_alone(tmp_path, monkeypatch):
    """In the batches of the whole job, so that the scores are the same to the last bit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("resrank.jobs.rerank.BLOCK", 1)
    monkeypatch.setattr("resrank.jobs.teach.SECTION", 1)
    options = {"encoder": {"dtype": "float32"}, "reranker": {"layers": 1, "heads": 2}}
    jobs = jobs_of(tmp_path, "reader", {"reader": {"kind": "resrank", "options": options}})
    whole = jobs.teach("mine", "bm25", "reader", None)
    rerank(whole)
    content = whole.out.read_bytes()
    assert not list(tmp_path.rglob("*.encoder.trec"))  # the encoder's own ranking teaches nobody
    shards = [jobs.teach("mine", "bm25", "reader", None, Shard(n, 2)) for n in range(2)]
    embedded = []
    for shard in shards:
        rerank(shard)
        (rows,) = shard.store.rglob("rows.bin")
        embedded.append(len(np.fromfile(rows, ROW)))
    (rows,) = whole.store.rglob("rows.bin")
    assert min(embedded) < len(np.fromfile(rows, ROW))
    merge_runs([shard.out for shard in shards], whole.out)
    assert whole.out.read_bytes() == content


class Recording:
    """A reranker that notes what it is to embed."""

    def __init__(self):
        self.calls = []

    def prepare(self, passages, folder, needed=None):
        self.calls.append(({p.id for p in passages}, {p.id for p in needed}))


def test_batches_are_those_of_the_queries_that_need_a_passage_first(jobs, monkeypatch):
    monkeypatch.setattr("resrank.jobs.teach.SECTION", 2)
    listed = ["ab", "bc", "cd", "de", "ef"]
    requests = [
        (Query(f"q{n}", "x"), [Candidate(Passage(name, name), 1.0) for name in names])
        for n, names in enumerate(listed)
    ]
    job, reranker = jobs.teach("mine", "bm25", "backwards", None), Recording()
    job.prepare(reranker, requests, requests[3:4])  # of the second section, whose new ones are d, e
    assert reranker.calls == [({"d", "e"}, {"d", "e"})]
    job.prepare(reranker, requests, requests[2:3])
    assert reranker.calls[1:] == [({"a", "b", "c"}, {"c"}), ({"d", "e"}, {"d"})]


def test_a_run_that_teaches_nobody_is_an_error(jobs):
    with pytest.raises(ValueError, match="no system of the suite is trained .*system:pupil"):
        jobs.teach("mine", "bm25", "pupil", 1)


def test_a_pupil_needs_its_teachers_run_and_depends_on_its_content(jobs):
    pretend_encoded(jobs)
    with pytest.raises(FileNotFoundError, match=r"backwards/seed0.trec; make it with .* job teach"):
        jobs.train("pupil", 1)
    teach = jobs.teach("mine", "bm25", "backwards", None)
    rerank(teach)
    job = jobs.train("pupil", 1)
    train(job)
    manifest = json.loads((job.out.parent / "seed1.manifest.json").read_text())
    assert manifest["inputs"][str(teach.out)] == sha256_file(teach.out)
    rows = (job.out.parent / "seed1.log.jsonl").read_text().splitlines()
    assert len(rows) == 1  # the other training query's list has one passage
    teach.out.write_text(teach.out.read_text().replace("backwards", "other"))
    with pytest.raises(Damaged, match="seed0.trec"):
        train(job)


def test_a_trained_cross_encoder_teaches_within_a_fusion_of_three(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base = {"model": save_bert(tmp_path / "bert"), "max_tokens": 16}
    trained = {**base, "model": "trained:cross"}
    training = {"loss": "softmax", "negatives": 2, "max_tokens": 16, "length_groups": 2}
    systems = {
        "cross": {"kind": "cross_encoder", "options": base, "training": training, "seeds": [5]},
        "fused": {"kind": "rank_fusion", "options": {"systems": [
            {"kind": "cross_encoder", "options": trained}, {"kind": "bi_encoder"}]}},
    }  # fmt: skip
    jobs = jobs_of(tmp_path, "fused", systems)
    with pytest.raises(FileNotFoundError, match="cross/seed5.* job train --system cross --seed 5"):
        jobs.teach("mine", "bm25", "fused", None)
    train(jobs.train("cross", None))
    teach = jobs.teach("mine", "bm25", "fused", None)
    rerank(teach)
    assert (tmp_path / teach.store).is_dir()  # of its own: the shared one is filled by `encode`
    assert not (tmp_path / jobs.plan.store).exists()
    scores = [float(line.split("\t")[4]) for line in teach.out.read_text().splitlines()]
    assert 3 / 64 < min(scores) <= max(scores) <= 3 / 61  # three orders of at most four, k = 60
    pretend_encoded(jobs)
    job = jobs.train("pupil", 1)
    train(job)
    manifest = json.loads((job.out.parent / "seed1.manifest.json").read_text())
    assert manifest["inputs"][str(teach.out)] == sha256_file(teach.out)


def test_a_transcript_teaches_through_a_system_that_replays_it(jobs, tmp_path):
    requests = jobs.teach("mine", "bm25", "backwards", None).requests()
    recorded = system(Model())  # answers with each window backwards
    recorded.keep_transcript(tmp_path / "seed0.trec")
    expected = recorded.rerank_many(requests)
    llm = {"kind": "replay", "transcript": str(recorded.transcript.path)}
    options = {"llm": llm, "prompt": "short", "window": WINDOW}
    replaying = jobs_of(tmp_path, "told", {"told": {"kind": "rankgpt", "options": options}})
    job = replaying.teach("mine", "bm25", "told", None)
    rerank(job)
    assert {q: tuple(scores) for q, scores in read_rankings(job.out).items()} == {
        ranking.query_id: ranking.passage_ids for ranking in expected
    }
