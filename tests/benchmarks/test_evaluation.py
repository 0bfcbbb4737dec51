"""Score a run of 1,000 queries x 100 passages, compared with ir_measures on the same data."""

import ir_measures
import numpy as np
import pytest

from resrank.evaluation.evaluate import evaluate
from resrank.evaluation.metrics import per_query

GROUP = "score a run of 1,000 queries x 100 passages, nDCG@10"
FILES = "read and score that run"


@pytest.fixture(scope="module")
def queries(timed):
    return 1_000 if timed else 20


@pytest.fixture(scope="module")
def data(queries):
    rng = np.random.default_rng(0)
    ids = [f"p{i:05}" for i in range(10_000)]
    run, qrels = {}, {}
    for query in range(queries):
        chosen = rng.choice(10_000, 120, replace=False)
        run[f"q{query}"] = {ids[p]: float(100 - rank) for rank, p in enumerate(chosen[:100])}
        grades = rng.integers(0, 4, 60)
        qrels[f"q{query}"] = {ids[p]: int(g) for p, g in zip(chosen[::2], grades, strict=True)}
    return qrels, run


def test_ir_measures_alone(benchmark, data, queries):
    benchmark.group = GROUP
    qrels, run = data
    measure = ir_measures.parse_measure("nDCG@10")
    assert len(benchmark(lambda: list(ir_measures.iter_calc([measure], qrels, run)))) == queries


def test_scores_per_query(benchmark, data, queries):
    benchmark.group = GROUP
    qrels, run = data
    scores = benchmark(per_query, ["nDCG@10"], qrels, run)
    assert len(scores) == queries


@pytest.fixture(scope="module")
def files(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    qrels, run = folder / "qrels", folder / "run"
    qrels.write_text("".join(f"{q} 0 {p} {g}\n" for q, d in data[0].items() for p, g in d.items()))
    rows = ((q, p, r, s) for q, d in data[1].items() for r, (p, s) in enumerate(d.items(), 1))
    run.write_text("".join(f"{q} Q0 {p} {r} {s} t\n" for q, p, r, s in rows))
    return qrels, run


def test_ir_measures_from_files(benchmark, files):
    benchmark.group = FILES
    measure = ir_measures.parse_measure("nDCG@10")

    def score():
        qrels, run = (str(path) for path in files)
        return ir_measures.calc_aggregate(
            [measure], ir_measures.read_trec_qrels(qrels), ir_measures.read_trec_run(run)
        )

    assert 0 < benchmark(score)[measure] < 1


def test_evaluate_with_its_audits(benchmark, files, queries):
    benchmark.group = FILES
    evaluation = benchmark(evaluate, *files, ["nDCG@10"])
    assert evaluation.judged_queries == queries
    assert evaluation.tie_bounds["nDCG@10"].best == pytest.approx(evaluation.metrics["nDCG@10"])
