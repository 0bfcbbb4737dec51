"""Scoring a run of 1,000 queries x 100 passages, beside ir_measures on the same dictionaries."""

import ir_measures
import numpy as np
import pytest

from resrank.evaluation.metrics import per_query

GROUP = "score a run of 1,000 queries x 100 passages, nDCG@10"


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    ids = [f"p{i:05}" for i in range(10_000)]
    run, qrels = {}, {}
    for query in range(1_000):
        chosen = rng.choice(10_000, 120, replace=False)
        run[f"q{query}"] = {ids[p]: float(100 - rank) for rank, p in enumerate(chosen[:100])}
        grades = rng.integers(0, 4, 60)
        qrels[f"q{query}"] = {ids[p]: int(g) for p, g in zip(chosen[60:], grades, strict=True)}
    return qrels, run


def test_ir_measures_alone(benchmark, data):
    benchmark.group = GROUP
    qrels, run = data
    measure = ir_measures.parse_measure("nDCG@10")
    assert len(benchmark(lambda: list(ir_measures.iter_calc([measure], qrels, run)))) == 1_000


def test_scores_per_query(benchmark, data):
    benchmark.group = GROUP
    qrels, run = data
    scores = benchmark(per_query, ["nDCG@10"], qrels, run)
    assert len(scores) == 1_000
