"""The line in a training's log about the queries that it uses."""

from dataclasses import replace

from resrank.records import Candidate, Passage, Query, TrainingExample
from resrank.training.lists import usable
from resrank.training.options import TrainingStage
from resrank.training.query_use import dropped, report_queries
from tests.training.test_training import SHORT, examples, train


def example(number, grades=(1, 0), listed=2):
    passages = [Passage(f"p{n}", f"text {n}") for n in range(2)]
    graded = {f"p{n}": grade for n, grade in enumerate(grades)}
    positives = [p for p in passages if graded.get(p.id, 0) > 0]
    candidates = [Candidate(p, -float(n)) for n, p in enumerate(passages)][:listed]
    return TrainingExample(Query(f"q{number}", "x"), candidates, graded, positives)


def test_each_reason_has_its_number():
    queries = [example(n) for n in range(6)]
    queries += [example(6, grades=(0, 0)), example(7, grades=(1, 1)), example(8, listed=0)]
    whole = TrainingStage()
    kept = usable(queries, whole)
    assert dropped(whole, queries, kept, kept) == {
        "without passages of different grades in the list": 2, "without candidates": 1,
    }  # fmt: skip
    sampled = TrainingStage(negatives="sampled", max_queries=4)
    kept = usable(queries, sampled)
    assert dropped(sampled, queries, kept, kept[:4]) == {
        "without a relevant passage": 1, "without candidates": 1, "left out by `max_queries`": 3,
    }  # fmt: skip
    half = TrainingStage(share=(0, 0.5))
    kept = usable(queries, half)
    assert dropped(half, queries, kept, kept)["outside of share [0.0, 0.5]"] == 5


def test_a_query_that_the_teacher_does_not_rank_is_named_so(tmp_path):
    run = tmp_path / "teacher.trec"
    run.write_text("q1 Q0 p0 1 2 t\nq1 Q0 p1 2 1 t\n")
    stage = TrainingStage(teacher=str(run))
    queries = [example(0), example(1)]
    kept = usable(queries, stage)
    assert dropped(stage, queries, kept, kept) == {"without an ordering by the teacher": 1}


def test_a_query_that_a_mixture_repeats_counts_once(capsys):
    queries = [replace(example(n), collection="ab"[n % 2]) for n in range(4)]
    chosen = [queries[0], queries[0], queries[1], queries[3]]
    report_queries("stage 1", TrainingStage(), queries, queries, chosen)
    assert capsys.readouterr().err == (
        "stage 1: 3 of 4 training queries used; dropped: 1 left out by the mixture's weights\n"
    )


def test_a_training_prints_one_line_per_stage(tmp_path, capsys):
    total = len(examples())
    train(tmp_path, "m", ({**SHORT, "epochs": 1, "max_queries": 1}, {**SHORT, "epochs": 1}))
    lines = [line for line in capsys.readouterr().err.splitlines() if "training queries" in line]
    assert lines[0].startswith(f"stage 1: 1 of {total} training queries used; dropped: ")
    assert "left out by `max_queries`" in lines[0]
    assert len(lines) == 2
