"""FLOPs of a comparison's rows: the mean over what each query used; nothing where not known."""

import pandas as pd
import pytest

from resrank.efficiency.flops import flops
from resrank.io.run import write_usage
from resrank.model.architectures import architecture, published_config
from resrank.records import Ranking, Usage
from resrank.reporting import results
from resrank.reporting.report import _columns, _kind, conditions
from resrank.reporting.results import _usage
from resrank.suite.load import load_suite
from resrank.work import Work


@pytest.mark.parametrize("known", [True, False])
def test_flops_of_a_row(known, tmp_path):
    name = "sentence-transformers/all-MiniLM-L6-v2" if known else "somebody/model"
    system = {"kind": "bi_encoder", "options": {"model": name}}
    suite = {"name": "s", "collections": ["docstrings"], "systems": ["x"]}
    resolved = load_suite(suite | {"define": {"systems": {"x": system}}})
    rankings = [
        Ranking(f"q{n}", ("a", "b"), (2.0, 1.0), Usage(40 * n, 0, n, query_encoder_tokens=n))
        for n in (5, 9)
    ]
    write_usage(tmp_path / "runs/docstrings/bm25/x/seed0.usage.parquet", rankings)
    row = _usage(resolved, tmp_path, "docstrings", "bm25", "x")
    if not known:
        assert row["flops_per_query_online"] is row["flops_per_query_cached"] is None
        return
    shape = architecture(published_config(name))
    query = [flops(shape, Work(1, n)) for n in (5, 9)]
    passages = [flops(shape, Work(2, 40 * n)) for n in (5, 9)]
    assert row["flops_per_query_cached"] == pytest.approx(sum(query) / 2)
    assert row["flops_per_query_online"] == pytest.approx((sum(query) + sum(passages)) / 2)


def test_scores_of_random_weights_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "_usage", lambda *_: {})
    monkeypatch.setattr(results, "_times", lambda *_: {})
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
    frame = results.comparison(resolved, tmp_path)
    assert frame["nDCG@10"].tolist()[1] == 0.375
    assert pd.isna(frame["nDCG@10"][0])
    assert frame["queries"].tolist() == [2, 2]
    columns = _columns(resolved, frame)
    assert "nDCG@10" not in columns
    assert columns["flops_per_query_online"].header == "GFLOPs/query online"
    assert "divided by 8" in _kind(resolved)


@pytest.mark.parametrize(
    ("grade", "said"), [(1, ""), (2, " Binary metrics count grades from 2 of c.")]
)
def test_the_relevant_grade_is_said_where_it_is_not_one(beir, grade, said):
    own = {"kind": "beir", "path": str(beir), "relevant_grade": grade}
    suite = {"name": "s", "collections": ["c"], "systems": ["bm25"]}
    resolved = load_suite(suite | {"define": {"collections": {"c": own}}})
    row = {"collection": "c", "queries": 2, "dtype": "none", "timed_queries": 1, "threads": 1,
           "processor": "P", "label": "x", "timed": "here"}  # fmt: skip
    wanted = f"Scores: 2 judged queries of c.{said} Times: 1 queries"
    assert conditions(resolved, pd.DataFrame([row])).startswith(wanted)
