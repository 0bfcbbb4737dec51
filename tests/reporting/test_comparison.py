"""Rows of the comparison: FLOPs, scores of random weights, and the conditions."""

import json

import pandas as pd
import pytest

from resrank.efficiency.flops import flops
from resrank.io.run import write_usage
from resrank.model.architectures import published_config
from resrank.model.shapes import architecture
from resrank.records import Ranking, Usage
from resrank.reporting import comparison
from resrank.reporting.comparison import _usage
from resrank.reporting.conditions import conditions, engines, suite_title
from resrank.reporting.tables.cells import row_cells
from resrank.reporting.tables.comparison import comparison_columns
from resrank.suite.load import load_suite
from resrank.work import Work


@pytest.mark.parametrize("has_shape", [True, False])
def test_flops_of_a_row(has_shape, tmp_path):
    name = "sentence-transformers/all-MiniLM-L6-v2" if has_shape else "somebody/model"
    system = {"kind": "bi_encoder", "options": {"model": name}}
    suite = {"name": "s", "collections": ["docstrings"], "systems": ["x"]}
    resolved = load_suite(suite | {"define": {"systems": {"x": system}}})
    rankings = [
        Ranking(f"q{n}", ("a", "b"), (2.0, 1.0), Usage(40 * n, 0, n, query_encoder_tokens=n))
        for n in (5, 9)
    ]
    write_usage(tmp_path / "runs/docstrings/bm25/x/seed0.usage.parquet", rankings)
    row = _usage(resolved, tmp_path, "docstrings", "bm25", "x")
    if not has_shape:
        assert row["flops_per_query_online"] is row["flops_per_query_cached"] is None
        return
    shape = architecture(published_config(name))
    query = [flops(shape, Work(1, n)) for n in (5, 9)]
    passages = [flops(shape, Work(2, 40 * n)) for n in (5, 9)]
    assert row["flops_per_query_cached"] == pytest.approx(sum(query) / 2)
    assert row["flops_per_query_online"] == pytest.approx((sum(query) + sum(passages)) / 2)


def test_scores_of_random_weights_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "_usage", lambda *_: {})
    monkeypatch.setattr(comparison, "_times", lambda *_: {})
    systems = {
        name: {"kind": "bi_encoder", "options": {"model": model}}
        for name, model in (("x", "random:Qwen/Qwen3-4B"), ("y", "Qwen/Qwen3-4B"))
    }
    suite = {"name": "s", "collections": ["docstrings"], "systems": ["x", "y"], "scale": 8}
    resolved = load_suite(suite | {"metrics": ["nDCG@10"], "define": {"systems": systems}})
    rows = [
        {"system": name, "metric": "nDCG@10", "seed": 0, "query_id": f"q{n}", "value": n / 4}
        for name in "xy" for n in (1, 2)
    ]  # fmt: skip
    (tmp_path / "scores" / "docstrings").mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(tmp_path / "scores" / "docstrings" / "bm25.parquet")
    frame = comparison.comparison(resolved, tmp_path)
    assert frame["nDCG@10"].tolist()[1] == 0.375
    assert pd.isna(frame["nDCG@10"][0])
    assert frame["queries"].tolist() == [2, 2]
    columns = comparison_columns(resolved, frame)
    assert "nDCG@10" not in columns
    assert columns["flops_per_query_online"].header == "GFLOPs/query online"
    assert "divided by 8" in suite_title(resolved)


def write_answers(folder, system, *answers):
    """Write the usage of one seed per tuple of (clean, repaired, rejected) answers of a query."""
    for seed, counts in enumerate(answers):
        names = ("clean_answers", "repaired_answers", "rejected_answers")
        usage = Usage(**dict(zip(names, counts, strict=True)))
        path = folder / "runs/docstrings/bm25" / system / f"seed{seed}.usage.parquet"
        write_usage(path, [Ranking("q1", ("a", "b"), (2.0, 1.0), usage)])


def answer_suite(model, kinds=("rankgpt", "first_stage")):
    llm = {"kind": "transformers", "model": model}
    options = {"rankgpt": {"options": {"llm": llm}}, "first_stage": {}}
    systems = {kind: {"kind": kind, **options[kind]} for kind in kinds}
    suite = {"name": "s", "collections": ["docstrings"], "systems": list(kinds)}
    return load_suite(suite | {"define": {"systems": systems}})


def test_shares_of_answers_are_over_all_queries_and_a_dash_where_none_is_written(
    tmp_path, monkeypatch
):
    resolved = answer_suite("somebody/model")
    write_answers(tmp_path, "rankgpt", (1, 18, 1))
    write_answers(tmp_path, "first_stage", (0, 0, 0))
    rows = [
        {"label": name, "first_stage": "bm25", "nDCG@10": 0.5, "nDCG@10 sd": None, "mark": None}
        | _usage(resolved, tmp_path, "docstrings", "bm25", name)
        for name in ("rankgpt", "first_stage")
    ]
    frame = pd.DataFrame(rows)
    assert frame.loc[0, ["clean_share", "repaired_share", "rejected_share"]].tolist() == [0.05, 0.9, 0.05]  # fmt: skip
    assert frame["clean_share"].isna().tolist() == [False, True]
    column = comparison_columns(resolved, frame)["clean_share"]
    assert column.header == "answers clean / repaired / rejected"
    texts = [row_cells(frame.iloc[n], {"clean_share": column})[0] for n in (0, 1)]
    assert texts == ["0.05 / 0.90 / 0.05", "–"]
    assert "clean_share" not in comparison_columns(resolved, frame[1:])  # no system writes answers


def test_answers_of_random_weights_are_left_out(tmp_path):
    resolved = answer_suite("random:Qwen/Qwen3-4B", ("rankgpt",))
    write_answers(tmp_path, "rankgpt", (0, 0, 20))
    assert _usage(resolved, tmp_path, "docstrings", "bm25", "rankgpt")["rejected_share"] is None


@pytest.mark.parametrize(
    ("grade", "sentence"), [(1, ""), (2, " Binary metrics count grades from 2 for c.")]
)
def test_conditions_name_a_relevant_grade_above_one(beir, grade, sentence):
    collection = {"kind": "beir", "path": str(beir), "relevant_grade": grade}
    suite = {"name": "s", "collections": ["c"], "systems": ["bm25"]}
    resolved = load_suite(suite | {"define": {"collections": {"c": collection}}})
    row = {"collection": "c", "queries": 2, "dtype": "none", "timed_queries": 1, "threads": 1,
           "processor": "P", "label": "x", "timed": "here", "reranks": False,
           "generated_tokens": 0.0}  # fmt: skip
    wanted = f"Scores: 2 judged queries of c.{sentence} Times: 1 queries"
    text = conditions(resolved, pd.DataFrame([row]))
    assert text.startswith(wanted)
    assert "Engine" not in text


@pytest.mark.parametrize(
    ("generated", "timed", "engine"),
    [
        (0.0, "here", " Engine: PyTorch, default kernels."),
        (9.0, "here", " Engine: PyTorch, default kernels; X: transformers' generate, not a server such as vLLM."),
        (9.0, "recorded", ""),
    ],
)  # fmt: skip
def test_captions_name_the_engine(generated, timed, engine):
    rows = [
        {"label": "BM25", "timed": "here", "reranks": False, "generated_tokens": 0.0},
        {"label": "X", "timed": timed, "reranks": True, "generated_tokens": generated},
    ]
    assert engines(pd.DataFrame(rows)) == engine


@pytest.mark.parametrize(("samples", "p95"), [(19, None), (20, 7.0)])
def test_a_percentile_without_its_samples_is_left_out(tmp_path, samples, p95):
    """Also of a measurement of an earlier version, which wrote it down."""
    mode = {"samples_ms": [1.0] * samples, "p50_ms": 1.0, "p95_ms": 7.0}
    about = {"dtype": "float32", "threads": 1, "timed": "here", "machine": {"processor": "P"}}
    path = tmp_path / "x.json"
    path.write_text(json.dumps(about | {"query_ids": ["q"], "online": mode}))
    times = comparison._times(path)
    assert (times["p50_ms_online"], times["p95_ms_online"]) == (1.0, p95)
    assert times["p50_ms_cached"] is None
