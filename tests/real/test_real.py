"""Scores, audits and first stages on public collections and recorded runs."""

import json
import os

import pytest

from resrank.candidates.bm25 import Bm25Stage
from resrank.candidates.dense import DenseStage
from resrank.candidates.freeze import freeze
from resrank.candidates.imported import ImportedStage
from resrank.collections.beir import BeirCollection
from resrank.collections.candidates import CandidatesCollection
from resrank.evaluation.evaluate import evaluate
from resrank.evaluation.leak import audit, training_positives
from resrank.evaluation.metrics import averages, per_query
from resrank.evaluation.ties import tie_bounds
from resrank.io.candidates import candidate_lists, read_candidates
from resrank.io.collection import Collection
from resrank.io.trec import read_qrels, read_run
from resrank.records import Split
from tests.real.scifact import write_part

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("run", "ndcg"), [("bm25_top100", 0.5058), ("rankvicuna_bm25", 0.6682),
                      ("lostbracket", 0.6675), ("vicuna13b_malformed", 0.4517)],
)  # fmt: skip
def test_published_scores_of_dl19_runs(real_data, run, ndcg):
    dl19 = real_data / "dl19"
    evaluation = evaluate(dl19 / "qrels.txt", dl19 / f"{run}.run", ["nDCG@10"])
    assert round(evaluation.metrics["nDCG@10"], 4) == ndcg
    assert (evaluation.judged_queries, evaluation.missing_queries) == (43, 0)


NAMES = {"map": "AP", "recip_rank": "RR", "Rprec": "Rprec", "bpref": "Bpref", "P_5": "P@5",
         "P_10": "P@10", "P_100": "P@100", "recall_10": "R@10", "recall_100": "R@100",
         "recall_1000": "R@1000", "ndcg": "nDCG", "ndcg_cut_10": "nDCG@10",
         "ndcg_cut_100": "nDCG@100", "success_1": "Success@1", "map_cut_100": "AP@100"}  # fmt: skip


def expected(path):
    """Read trec_eval's output: {(measure, query or 'all'): value}."""
    rows = [line.split() for line in path.read_text().splitlines()]
    return {(r[0], r[1]): float(r[2]) for r in rows if len(r) == 3 and r[0] in NAMES}


@pytest.mark.parametrize("output", ["out.test.aq", "out.test.aqc"])
def test_scores_equal_trec_evals_expected_output(real_data, output):
    folder = real_data / "trec_eval"
    # The option -c counts queries that the run lacks, so its example is a run that lacks one.
    name = "results.trunc" if output.endswith("c") else "results.test"
    qrels, run = read_qrels(folder / "qrels.test"), read_run(folder / name)
    values_of_trec_eval = expected(folder / output)
    measures = sorted({name for name, _ in values_of_trec_eval})
    assert len(measures) > 10
    if not output.endswith("c"):  # without -c, trec_eval averages over the queries of the run
        qrels = {q: grades for q, grades in qrels.items() if q in run}
    plain = {q: dict(ranked) for q, ranked in run.items()}
    scores = per_query([NAMES[m] for m in measures], qrels, plain)
    means = averages(scores)
    values = {(name, q): value for name, q, value in scores}
    compared = 0
    for (measure, query), value in values_of_trec_eval.items():
        name = NAMES[measure]
        ours = means[name] if query == "all" else values[name, query]
        assert ours == pytest.approx(value, abs=5.1e-5), (measure, query)
        compared += 1
    assert compared > 40


@pytest.fixture(scope="module")
def scifact(real_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("scifact")
    BeirCollection(kind="beir", path=real_data / "scifact").collect(folder / "c")
    freeze(Collection(folder / "c"), Bm25Stage(kind="bm25"), folder / "bm25.parquet")
    return folder


def test_bm25_on_scifact(scifact):
    collection = Collection(scifact / "c")
    lists = read_candidates(scifact / "bm25.parquet")
    qrels = collection.qrels(Split.TEST)
    assert len(qrels) == 300
    run = {q: dict(lists[q]) for q in qrels}
    assert 0.670 <= averages(per_query(["nDCG@10"], qrels, run))["nDCG@10"] <= 0.690


def test_leak_audit_of_scifact(scifact):
    """Of SciFact's 283 test positives, 181 are also training positives."""
    collection = Collection(scifact / "c")
    passages = {p.id: p for p in collection.passages}
    lists = candidate_lists(collection, scifact / "bm25.parquet")
    seen = training_positives(collection.qrels(Split.TRAIN), passages, 1)
    qrels = collection.qrels(Split.TEST)
    run = {q: {c.passage.id: c.score for c in lists[q]} for q in qrels}
    leak = audit(run, qrels, lists, passages, seen, 1)
    assert leak["overlap"] == pytest.approx(181 / 283)
    assert leak["first_stage_score"] == pytest.approx(leak["score"])
    # The prior ignores the query, yet scores far above a random order of these lists (0.042).
    assert leak["prior_alone"] > 0.2, leak


WHOLE = pytest.mark.skipif(
    "RESRANK_WHOLE_CORPUS" not in os.environ,
    reason="it embeds 5,183 passages, which takes minutes; set RESRANK_WHOLE_CORPUS=1",
)


@pytest.mark.parametrize(
    ("part", "expected"), [((40, 80), 0.902), pytest.param(None, 0.645, marks=WHOLE)]
)
def test_minilm_on_scifact(real_data, tmp_path, part, expected):
    """The published score on the whole corpus; the score on a part of it was computed here."""
    path = real_data / "scifact"
    if part is not None:
        path = write_part(path, tmp_path / "part", *part)
    BeirCollection(kind="beir", path=path, train_sample=1).collect(tmp_path / "c")
    collection = Collection(tmp_path / "c")
    freeze(collection, DenseStage(kind="dense"), tmp_path / "dense.parquet", tmp_path / "store")
    lists = read_candidates(tmp_path / "dense.parquet")
    qrels = collection.qrels(Split.TEST)
    run = {q: dict(lists[q]) for q in qrels}
    ndcg = averages(per_query(["nDCG@10"], qrels, run))["nDCG@10"]
    # Number formats move the place of a passage or two: of 40 queries that moves more.
    assert ndcg == pytest.approx(expected, abs=0.005 if part is None else 0.015)


def test_imported_candidates_of_dl19(real_data, tmp_path):
    dl19 = real_data / "dl19"
    spec = CandidatesCollection(
        kind="candidates", path=dl19 / "bm25_top100.json", qrels=dl19 / "qrels.txt"
    )
    spec.collect(tmp_path / "c")
    collection = Collection(tmp_path / "c")
    freeze(collection, ImportedStage(kind="imported"), tmp_path / "imported.parquet")
    about = json.loads((tmp_path / "imported.manifest.json").read_text())["splits"]["test"]
    assert round(about["oracle_nDCG@10"], 3) == 0.892
    assert 0.4 < about["recall@100"] < 0.5
    lists = read_candidates(tmp_path / "imported.parquet")
    run = {q: dict(ranked) for q, ranked in lists.items()}
    score = averages(per_query(["nDCG@10"], collection.qrels(Split.TEST), run))["nDCG@10"]
    assert round(score, 4) == 0.5058


def test_trec_evals_scores_lie_between_the_tie_bounds(real_data):
    """Compare with trec_eval on its example run, as it is and with scores rounded to tie."""
    import pytrec_eval

    folder = real_data / "trec_eval"
    qrels = read_qrels(folder / "qrels.test")
    run = {q: dict(ranked) for q, ranked in read_run(folder / "results.test").items()}
    rounded = {q: {p: float(round(s)) for p, s in ranked.items()} for q, ranked in run.items()}
    names = {"ndcg_cut_10": "nDCG@10", "map": "AP", "recip_rank": "RR", "P_10": "P@10"}
    apart = {"as it is": 0, "rounded": 0}
    for kind, scored in (("as it is", run), ("rounded", rounded)):
        theirs = pytrec_eval.RelevanceEvaluator(qrels, set(names)).evaluate(scored)
        ours = {(m, q): v for m, q, v in per_query(list(names.values()), qrels, scored)}
        for query, values in theirs.items():
            bounds = tie_bounds(list(names.values()), {query: qrels[query]}, {query: scored[query]})
            for name, metric in names.items():
                assert ours[metric, query] == pytest.approx(values[name], abs=1e-6)
                low, high = bounds[metric]
                assert low - 1e-9 <= values[name] <= high + 1e-9
                apart[kind] += low < high
    print(f"values that depend on the order of ties, of {3 * len(names)}: {apart}")
    assert apart["rounded"] > apart["as it is"] > 0
