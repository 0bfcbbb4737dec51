"""Teachers: what their files may be, how they grade lists, and how they filter negatives."""

import gzip
import json
import math

import numpy as np
import pytest
import torch

from baselines.cross_encoder.options import CrossEncoderTraining
from baselines.cross_encoder.reranker import CrossEncoder
from baselines.cross_encoder.training import (
    LabelledPair,
    PairLosses,
    length_groups,
    pairs_of,
    softmax_loss,
    usable_examples,
)
from baselines.e2rank.options import E2RankTraining
from baselines.llm.listwise_options import ListwiseTraining
from baselines.pe_rank.options import PERankTraining
from baselines.rank_fusion import RankFusion
from resrank.io.manifest import Damaged, write_manifest
from resrank.io.text import DataError
from resrank.records import Candidate, Passage, Query, TrainingExample, Usage
from resrank.reranker import DeclaredCounts, TrainingData, TrainingJob
from resrank.reranker_options import TeacherWork
from resrank.training.lists import batches, negatives_of, usable
from resrank.training.losses import ranknet
from resrank.training.options import EncoderTraining, ResRankTraining, TrainingStage
from resrank.training.teacher import read_rankings, taught_by
from resrank.training.teacher_options import NegativeFilter
from tests.shapes import save_bert
from tests.training.teachers import Alphabetical, Backwards

PASSAGES = [Passage(f"p{i}", f"text {i}") for i in range(5)]


def example(query="q1", relevant=("p1",), grade=1):
    positives = [p for p in PASSAGES if p.id in relevant]
    grades = dict.fromkeys(relevant, grade)
    return TrainingExample(Query(query, "find"), [Candidate(p, 0.0) for p in PASSAGES], grades,
                           positives)  # fmt: skip


def write(path, *lines):
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def run(path, *rows):
    return write(path, *(f"{q} Q0 {p} 1 {score} t" for q, p, score in rows))


def test_a_run_is_ordered_by_its_scores_and_ties_keep_the_files_order(tmp_path):
    rows = [("q1", "p0", 0.5), ("q1", "p3", 2), ("q1", "p2", 0.5), ("q2", "p1", -1)]
    path = run(tmp_path / "a.trec", *rows)
    rankings = read_rankings(path)
    assert {q: list(scores.items()) for q, scores in rankings.items()} == {
        "q1": [("p3", 2.0), ("p0", 0.5), ("p2", 0.5)],
        "q2": [("p1", -1.0)],
    }
    packed = tmp_path / "a.trec.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_rankings(packed) == rankings
    (taught,) = taught_by([example()], path)
    assert dict(taught.grades) == {"p3": 3, "p0": 2, "p2": 1}
    listed = write(tmp_path / "b.jsonl", '{"query_id": "q1", "ranking": ["p3", "p0"]}')
    assert read_rankings(listed) == {"q1": {"p3": 2, "p0": 1}}


def test_a_run_that_differs_from_its_manifest_is_damaged(tmp_path):
    path = run(tmp_path / "seed1.trec", ("q1", "p0", 1))
    write_manifest(tmp_path / "seed1.manifest.json", inputs={}, config={}, outputs=[path])
    assert read_rankings(path)
    run(path, ("q1", "p0", 1), ("q1", "p3", 7))
    with pytest.raises(Damaged, match=r"seed1\.trec"):
        read_rankings(path)


def test_a_transcript_is_refused_with_the_way_to_use_it(tmp_path):
    call = {"key": "k", "prompt": [{"role": "user", "content": "?"}], "text": "[2] > [1]"}
    path = write(tmp_path / "t.jsonl", json.dumps(call))
    with pytest.raises(DataError, match=r"t\.jsonl:1: a recorded call .*kind: replay.*teacher"):
        taught_by([example()], path)


def test_labels_first_moves_judged_passages_to_the_front(tmp_path):
    path = run(tmp_path / "r", ("q1", "p2", 3), ("q1", "p0", 2), ("q1", "p1", 1))
    scores = torch.tensor([1.0, 2.0, 0.5])

    def loss(labels):
        stage = TrainingStage(teacher=str(path), labels=labels, list_length=3, order="first_stage")
        ((batch,),) = batches(usable([example()], stage), stage, np.random.default_rng(0))
        assert batch.texts == ["text 0", "text 1", "text 2"]
        return ranknet(scores, torch.tensor(batch.grades)).item()

    def by_hand(*pairs):  # (score of the better passage, score of the worse one)
        return sum(math.log1p(math.exp(worse - better)) for better, worse in pairs) / len(pairs)

    assert loss("ignored") == pytest.approx(by_hand((0.5, 1), (0.5, 2), (1, 2)))  # p2, p0, p1
    assert loss("first") == pytest.approx(by_hand((2, 0.5), (2, 1), (0.5, 1)))  # p1, p2, p0


def test_labels_first_follows_grades_and_ranks_what_the_teacher_did_not(tmp_path):
    path = run(tmp_path / "r", ("q1", "p2", 3), ("q1", "p0", 2), ("q1", "p1", 1))
    graded = example(relevant=("p0", "p4", "p1"))
    graded.grades.update(p1=2)
    (taught,) = taught_by([graded], path, labels_first=True)
    order = sorted(taught.grades, key=lambda p: -taught.grades[p])
    assert order == ["p1", "p0", "p4", "p2"]


def test_the_share_is_of_all_training_queries_whichever_are_ranked(tmp_path):
    examples = [example(f"q{i}") for i in range(10)]
    half = TrainingStage(share=(0.5, 1))
    expected = [e.query.id for e in usable(examples, half)]
    path = run(tmp_path / "r", *((f"q{i}", p.id, 1 - n) for i in range(7)
                                 for n, p in enumerate(PASSAGES)))  # fmt: skip
    stage = TrainingStage(share=(0.5, 1), teacher=str(path))
    ranked_ids = {f"q{i}" for i in range(7)}
    assert [e.query.id for e in usable(examples, stage)] == [q for q in expected if q in ranked_ids]


@pytest.mark.parametrize(
    ("margin", "kept"),
    [(0, ["p0", "p3", "p4"]), (1, ["p0", "p4"]), (4, [])],
)
def test_likely_false_negatives_are_left_out(tmp_path, margin, kept):
    rows = [("p2", 9), ("p1", 5), ("p3", 4.5), ("p0", 4), ("p4", 2)]
    path = run(tmp_path / "r", *(("q1", p, score) for p, score in rows))
    options = {"negatives": "sampled", "list_length": 5,
               "negative_filter": {"teacher": str(path), "margin": margin}}  # fmt: skip
    stage = TrainingStage.model_validate(options)
    (scored,) = usable([example()], stage)
    negatives = negatives_of(scored, PASSAGES[1], stage.negative_filter)
    assert [p.id for p in negatives] == kept
    ((drawn,),) = batches([scored], stage, np.random.default_rng(0))
    assert sorted(drawn.texts) == sorted(["text 1", *(f"text {p[1]}" for p in kept)])
    cross = CrossEncoderTraining.model_validate(
        {"negatives": 4, "negative_filter": {"teacher": str(path), "margin": margin}}
    )
    (scored,) = usable_examples([example()], cross)
    pairs = pairs_of(scored, cross, np.random.default_rng(0))
    assert sorted(pair.passage for pair in pairs) == sorted(drawn.texts)
    assert [pair.label for pair in pairs] == [1.0] + [0.0] * len(kept)


def test_a_positive_that_the_teacher_did_not_score_filters_nothing(tmp_path):
    path = run(tmp_path / "r", ("q1", "p2", 9), ("q1", "p3", 1))
    stage = TrainingStage.model_validate(
        {"negatives": "sampled", "negative_filter": {"teacher": str(path)}}
    )
    (scored,) = usable([example()], stage)
    negatives = negatives_of(scored, PASSAGES[1], stage.negative_filter)
    assert [p.id for p in negatives] == ["p0", "p2", "p3", "p4"]


def test_what_teachers_have_to_rank():
    taught = {"teacher": "system:t", "share": [0.5, 1], "list_length": 30}
    filtered = {"negatives": "sampled", "negative_filter": {"teacher": "system:f"}}
    resrank = ResRankTraining.model_validate({"stages": [filtered, taught, {"teacher": "a.trec"}]})
    assert resrank.teachers == (TeacherWork("f"), TeacherWork("t", (0.5, 1), 30))
    assert [str(path) for path in resrank.files] == ["a.trec"]
    for training in (E2RankTraining, ListwiseTraining, PERankTraining):
        options = training.model_validate(taught)
        assert options.teachers == (TeacherWork("t", (0.5, 1), 30),)
        assert options.files == []
    for training in (EncoderTraining, CrossEncoderTraining):
        options = {"share": [0, 0.5], "negative_filter": {"teacher": "system:f"}}
        assert training.model_validate(options).teachers == (TeacherWork("f", (0, 0.5)),)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "first"}, "there is no `teacher`; name one"),
        ({"teacher": "system:"}, "'system:' names nothing; give `system:<name>` or a file"),
        ({"negative_filter": {"teacher": "a"}}, "goes with `negatives: sampled`"),
        ({"teacher": "a", "negatives": "sampled"}, "goes with `negatives: top`"),
    ],
)
def test_options_that_contradict_each_other(options, message):
    for training in (TrainingStage, E2RankTraining):
        with pytest.raises(ValueError, match=message):
            training.model_validate(options)
    with pytest.raises(ValueError, match="greater than or equal to 0"):
        NegativeFilter(teacher="a", margin=-1)


def test_softmax_and_ranknet_by_hand():
    scores, labels = torch.tensor([2.0, 1.0, 0.0]), torch.tensor([1.0, 0.0, 0.0])
    wanted = math.log(sum(math.exp(s) for s in (2, 1, 0))) - 2
    assert softmax_loss(scores, labels).item() == pytest.approx(wanted)
    wanted = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-2))) / 2
    assert ranknet(scores, labels).item() == pytest.approx(wanted)


def test_groups_by_length():
    assert length_groups([5, 1, 9, 3], 1) == [[0, 1, 2, 3]]
    assert length_groups([5, 1, 9, 3], 2) == [[1, 3], [0, 2]]
    assert length_groups([5, 1], 3) == [[1], [0]]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    folder = save_bert(tmp_path_factory.mktemp("bert") / "model")
    return CrossEncoder.Options(model=folder, dtype="float32", max_tokens=32)


@pytest.fixture(scope="module")
def cross_encoder(options):
    return CrossEncoder.load(options).model


def test_length_groups_change_no_loss(cross_encoder):
    pairs = [
        LabelledPair(f"q{i // 3}", "sort", f"array {'of numbers ' * i}", float(i % 3 == 0))
        for i in range(6)
    ]

    def loss(**options):
        training = CrossEncoderTraining(max_tokens=32, **options)
        return PairLosses(cross_encoder, training)(pairs)["loss"]

    for kind in ("binary", "softmax", "ranknet"):
        assert loss(loss=kind) == pytest.approx(loss(loss=kind, length_groups=3), rel=1e-3)
    cross_encoder.zero_grad()
    logits = PairLosses(cross_encoder, CrossEncoderTraining(max_tokens=32))._logits(pairs)
    positives = [logits[:3].log_softmax(0)[0], logits[3:].log_softmax(0)[0]]
    assert loss(loss="softmax") == pytest.approx(-sum(p.item() for p in positives) / 2, rel=1e-3)


def test_a_killed_softmax_training_resumes_to_the_same_weights(options, tmp_path, monkeypatch):
    for name in ("SECONDS", "PAUSE"):
        monkeypatch.setattr(f"resrank.training.checkpoints.Checkpoints.{name}", 0.0)
    training = CrossEncoderTraining(
        loss="softmax", negatives=2, batch_queries=1, max_tokens=16, length_groups=2
    )
    examples = [example(f"q{i}", (f"p{i}",)) for i in range(3)]

    def train(name, on_step):
        job = TrainingJob(tmp_path / "store", tmp_path / "state", "key", on_step, seed=1)
        CrossEncoder.train(options, training, TrainingData(examples), tmp_path / name, job)

    def stop(row):
        if row["step"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("killed", stop)
    rows = []
    train("resumed", rows.append)
    assert [row["step"] for row in rows] == [3]
    for file in (tmp_path / "state").iterdir():
        file.unlink()
    train("whole", rows.append)
    assert rows[0]["loss"] == rows[-1]["loss"]
    resumed, whole = (
        (tmp_path / n / "model.safetensors").read_bytes() for n in ("resumed", "whole")
    )
    assert resumed == whole


def fusion(*systems, **more):
    kinds = [{"kind": f"tests.training.teachers:{s.__name__}"} for s in systems]
    return RankFusion.load(RankFusion.Options.model_validate({"systems": kinds, "k": 1, **more}))


def test_a_fusion_of_three_orders():
    listed = [Candidate(Passage(p, ""), 0.0) for p in "bca"]
    ranking = fusion(Backwards, Alphabetical).rerank(Query("q", "x"), listed)
    # First stage b c a, Backwards a c b, Alphabetical c b a.
    sums = {"b": 1 / 2 + 1 / 4 + 1 / 3, "c": 1 / 3 + 1 / 3 + 1 / 2, "a": 1 / 4 + 1 / 2 + 1 / 4}
    assert ranking.passage_ids == ("c", "b", "a")
    assert ranking.scores == pytest.approx([sums[p] for p in "cba"])
    assert ranking.usage == Usage(model_calls=1)
    one = RankFusion.load(RankFusion.Options.model_validate(
        {"system": {"kind": "tests.training.teachers:Backwards"}, "k": 1}
    ))  # fmt: skip
    assert one.rerank(Query("q", "x"), listed).passage_ids == ("b", "a", "c")
    assert fusion(Backwards).rerank(Query("q", "x"), listed) == one.rerank(Query("q", "x"), listed)


def test_a_fusion_declares_the_sum_of_counts(monkeypatch):
    def declare(cls, *counts):
        monkeypatch.setattr(cls, "declared_counts", lambda self, n: DeclaredCounts(*counts))

    declare(Backwards, range(1, 3), 0, None)
    declare(Alphabetical, 5, 0, 0)
    counts = fusion(Backwards, Alphabetical).declared_counts(4)
    assert counts == DeclaredCounts(range(6, 8), 0, None, None)


def test_a_fusion_names_systems_one_way_and_has_one_encoder():
    encoders = [{"kind": "bi_encoder", "options": {"max_tokens": n}} for n in (32, 64)]
    for options, message in [
        ({}, "neither of `system` and `systems`"),
        ({"system": {"kind": "first_stage"}, "systems": [{"kind": "first_stage"}]}, "both"),
        ({"systems": encoders}, "with 2 encoders, but their embeddings are stored for one"),
    ]:
        with pytest.raises(ValueError, match=message):
            RankFusion.Options.model_validate(options)
    same = RankFusion.Options.model_validate({"systems": [encoders[0], encoders[0]]})
    assert RankFusion.encoder_options(same, None, None).max_tokens == 32
