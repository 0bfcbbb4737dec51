"""The tables of costs and tokens, from files in the form that the jobs write."""

import json

import pandas as pd
import pytest

from resrank.efficiency.meter import MeterOptions, measure
from resrank.efficiency.tokens import processed_by_lm, processed_in_slots, tokens
from resrank.io.run import write_usage
from resrank.records import Ranking, Usage
from resrank.reporting.page.tables import read_tables
from resrank.reporting.tables.efficiency import write_efficiency
from resrank.reporting.tables.tokens import write_tokens
from resrank.suite.load import load_suite
from tests.efficiency.test_meter import REQUESTS, Caching, Slow

SUITE = {
    "name": "t", "collections": ["c"], "systems": ["slots", "text"],
    "define": {
        "collections": {"c": {"kind": "docstrings"}},
        "systems": {"slots": {"kind": "first_stage", "label": "Slots"}, "text": {"kind": "first_stage"}},
    },
}  # fmt: skip
# ResRank over 100 candidates of 80 tokens and a query of 12; then the same as text in 9 windows.
COMPRESSED = Usage(
    passage_encoder_tokens=8000, prompt_tokens=12, embedding_slots=100, model_calls=1
)
WRITTEN = Usage(prompt_tokens=15000, generated_tokens=700, model_calls=9)


@pytest.fixture
def root(tmp_path):
    for name, usage, system in (("slots", COMPRESSED, Caching()), ("text", WRITTEN, Slow())):
        ids = tuple(str(n) for n in range(100))
        ranking = Ranking("q", ids, (0.0,) * 100, usage)
        write_usage(tmp_path / f"runs/c/bm25/{name}/seed0.usage.parquet", [ranking])
        about = {"dtype": "bfloat16", "threads": 2, "batch": 1, "warmup": 1, "timed": "here",
                 "query_ids": [q.id for q, _ in REQUESTS], "machine": {"processor": "P"}}  # fmt: skip
        measured = measure(system, REQUESTS, MeterOptions(clock=system.clock))
        measured["online"]["joules"] = {
            "cpu": 7.0 if name == "text" else None,
            "memory": None,
            "gpu": None,
        }
        path = tmp_path / f"efficiency/c/bm25/{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(about | measured))
    return tmp_path


def test_ways_of_counting():
    compressed = {"passage_encoder_tokens": 8000, "prompt_tokens": 12, "embedding_slots": 100,
                  "generated_tokens": 0}  # fmt: skip
    assert tokens(compressed) == 8112
    assert tokens(compressed, cached=True) == 112
    assert processed_by_lm(compressed) == 112
    assert processed_in_slots(compressed) == 100  # as the ResRank paper states it
    assert processed_in_slots(compressed | {"embedding_slots": 0}) is None


def test_tokens(root):
    write_tokens(load_suite(SUITE), root, "Note. ")
    table = pd.read_csv(root / "tables" / "tokens.csv").set_index("system")
    assert table.loc["slots", "processed_resrank"] == 100
    assert table.loc["slots", "processed_pe_rank"] == 112
    assert table.loc["slots", "online_per_passage"] == pytest.approx(81.12)
    assert table.loc["text", "cached_per_passage"] == table.loc["text", "online_per_passage"] == 157
    text = (root / "tables" / "tokens.md").read_text()
    assert (
        "| c | bm25 | text | 100.0 | 0.0 | 15,000.0 | 0.0 | 700.0 | 9.0 | 157.0 | 157.0 | 15,000.0 | – |"
        in text
    )


ESTIMATED = {"tokenizers": {"random:a": {"exact": True}, "random:b": {"exact": False}}}


def test_estimated_tokens_are_marked(root):
    (root / "runs/c/bm25/text/seed0.manifest.json").write_text(json.dumps(ESTIMATED))
    measurement = root / "efficiency/c/bm25/text.json"
    measurement.write_text(json.dumps(json.loads(measurement.read_text()) | ESTIMATED))
    write_tokens(load_suite(SUITE), root, "Note. ")
    write_efficiency(load_suite(SUITE), root, FLOPS, "Note. ")
    for name, marks in (("tokens", 6), ("efficiency", 3)):
        *rows, _, caption = (root / f"tables/{name}.md").read_text().splitlines()
        assert [row.count(" †") for row in rows if "Slots" not in row][2:] == [marks]
        assert not any("†" in row for row in rows if "Slots" in row)
        assert "† Estimated: the model's tokenizer was not at hand" in caption
        assert r"$\dagger$" in (root / f"tables/{name}.tex").read_text()
        (table,) = (table for table in read_tables(root / "tables") if table.name == name)
        assert "† Estimated" in table.caption
        assert sum("†" in cell.text for row in table.rows for cell in row) == marks


def test_exact_tokens_have_no_mark(root):
    exact = {"tokenizers": {"random:a": {"exact": True}}}
    (root / "runs/c/bm25/text/seed0.manifest.json").write_text(json.dumps(exact))
    write_tokens(load_suite(SUITE), root, "Note. ")
    assert "†" not in (root / "tables/tokens.md").read_text()
    assert "token_mark" not in (root / "tables/tokens.csv").read_text()


FLOPS = pd.DataFrame(
    {"collection": "c", "first_stage": "bm25", "system": ["slots", "text"],
     "flops_per_query_online": [4e9, 6e9], "flops_per_query_cached": [1e9, None]}
)  # fmt: skip


def test_costs(root):
    written = write_efficiency(load_suite(SUITE), root, FLOPS, "Note. ")
    assert [path.name for path in written] == [f"efficiency.{e}" for e in ("csv", "md", "tex")]
    table = pd.read_csv(root / "tables" / "efficiency.csv")
    assert table["label"].tolist() == ["Slots", "Slots", "text"]
    assert table["passages"].tolist() == ["online", "cached", "–"]
    assert table["flops_per_query"].tolist() == [4e9, 1e9, 6e9]
    assert table["p50_ms"].tolist() == [5.0, 2.0, 5.0]
    parts = [f"{name}_ms" for name in ("encode", "prefill", "decode", "score", "overhead")]
    assert table[parts].sum(axis=1).tolist() == [5.0, 2.0, 5.0]
    assert table["queries_per_second"].tolist() == [4000.0] * 3
    text = (root / "tables" / "efficiency.md").read_text()
    assert "| 5.0 [5.0, 5.0] |" in text
    assert text.count("| not measured |") >= 1
    assert table["joules_per_query"].tolist()[2] == 7.0 / 4
    assert pd.isna(table["joules_per_query"][0])
    assert "Note. 4 queries after 1 warm-up queries, batch 1, 2 threads of P, bfloat16" in text


def test_replayed_systems_have_no_cost(root):
    for name in ("slots", "text"):
        (root / f"efficiency/c/bm25/{name}.json").write_text(json.dumps({"dtype": "none"}))
    assert write_efficiency(load_suite(SUITE), root, FLOPS, "") == []
