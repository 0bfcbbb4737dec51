"""The page's data and its HTML file; tests/browser opens it in a browser."""

import base64
import gzip
import json
import re

import pandas as pd
import pytest

from resrank.io.candidates import read_candidates
from resrank.io.hashing import sha256_file
from resrank.io.trec import read_run
from resrank.reporting.page.build import write_page
from resrank.reporting.page.dag import draw
from resrank.reporting.page.data import _verdicts
from resrank.reporting.page.explorer import CHARACTERS, pack, samples, truncate
from resrank.reporting.page.tables import read_tables
from resrank.reporting.provenance import environments, hashes, lineage, read_manifests
from resrank.reporting.tables.formats import Cell
from tests.reporting.results_folder import HOSTILE, write_results


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("results") / "generated")


@pytest.fixture(scope="module")
def page(root) -> str:
    return write_page(root).read_text("utf-8")


def test_the_page_requests_nothing_from_the_network(page):
    assert not re.search(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(?!data:)', page)
    assert len(page) < 8_000_000


def test_hostile_text_is_escaped_everywhere(page):
    head = page[: page.index('<script type="application/json"')]
    assert "Generated &lt;results&gt;" in head
    assert "System &lt;b&gt;0&lt;/b&gt;" in head
    data = re.search(r'id="data">(.*?)</script>', page, re.DOTALL).group(1)
    assert not re.search("[<>&\u2028\u2029]", data)
    assert json.loads(data)["labels"]["s0"] == "System <b>0</b>"


def test_a_sample_has_the_content_of_the_files(root):
    sample = samples(root, [("c0", "bm25")], "nDCG@10")[0]
    assert (sample["sampled"], sample["total"]) == (4, 4)
    lines = gzip.decompress(base64.b64decode(sample["data"])).splitlines()
    query = next(q for q in map(json.loads, lines) if q["id"] == "q1")
    run = read_run(root / "runs/c0/bm25/s1/seed0.trec")["q1"]
    listed = [query["passages"][n] for n in query["rankings"]["s1"]]
    assert [p for p, *_ in listed] == [p for p, _ in run]
    frozen = [p for p, _ in read_candidates(root / "candidates/c0/bm25.parquet")["q1"]]
    assert all(place == frozen.index(p) + 1 for p, _, _, place in listed)
    assert next(p for p in listed if p[0] == "p0")[1:] == [HOSTILE, 2, 1]
    scores = pd.read_parquet(root / "scores/c0/bm25.parquet")
    value = scores[(scores["system"] == "s1") & (scores["query_id"] == "q1")]["value"].item()
    assert query["scores"]["s1"] == pytest.approx(value, abs=5e-5)


def test_packing_stops_at_the_budget():
    lines = [f"{n} {n * 7919 % 104729} {'x' * 50}" for n in range(500)]
    packed, count = pack(lines, 1_500)
    assert 0 < count < 500
    assert len(packed) < 1_600
    assert gzip.decompress(packed).decode().splitlines() == lines[:count]
    assert pack(lines, 10**6)[1] == 500
    assert gzip.decompress(pack(lines, 0)[0]) == b""


def test_a_passage_is_truncated_at_the_documented_length():
    assert truncate("x" * CHARACTERS) == "x" * CHARACTERS
    assert truncate("x" * (CHARACTERS + 1)) == "x" * CHARACTERS + " […]"


def test_tables_keep_marks_bars_and_captions(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "a.md").write_text("| x | y |\n| --: | --: |\n| **1** | a\\|b |\n\nOf it.\n")
    (tmp_path / "b.csv").write_text("z\n3\n\n")
    with_markdown, plain = read_tables(tmp_path)
    assert with_markdown == ("a", "Of it.", ["x", "y"], [[Cell("1", 1), Cell("a|b")]])
    assert plain.rows == [[Cell("3")]]


def test_edges_between_stages_follow_the_hashes(root):
    manifests = read_manifests(root)
    edges = lineage(root, manifests)
    assert edges == {
        ("collections", "candidates"), ("candidates", "runs"), ("runs", "scores"),
        ("scores", "report"),
    }  # fmt: skip
    drawing = draw({"collections": 2, "candidates": 2, "runs": 6, "scores": 2, "report": 1}, edges)
    assert [box.name for box in drawing.boxes] == [
        "collections", "candidates", "runs", "scores", "report",
    ]  # fmt: skip
    assert len(drawing.arrows) == 4
    assert environments(manifests)[0]["files"] == len(manifests)
    run = "runs/c0/bm25/s0/seed0.trec"
    assert dict(hashes(manifests))[run] == sha256_file(root / run)


def test_stages_that_read_from_each_other_are_drawn_in_one_direction():
    edges = [("collections", "models"), ("models", "teachers"), ("teachers", "models")]
    drawing = draw({"collections": 1, "models": 2, "teachers": 1}, edges)
    assert drawing.edges == [("collections", "models"), ("models", "teachers")]
    assert [box.name for box in sorted(drawing.boxes, key=lambda b: b.x)] == [
        "collections", "models", "teachers"
    ]  # fmt: skip


def test_an_edge_that_a_longer_path_replaces_is_left_out():
    drawing = draw({"a": 1, "b": 1, "c": 1}, [("a", "b"), ("b", "c"), ("a", "c")])
    assert drawing.edges == [("a", "b"), ("b", "c")]


def test_a_suite_without_a_report_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"report\.manifest\.json; run `snakemake"):
        write_page(tmp_path)


def test_a_line_separator_within_a_cell_does_not_end_the_row(tmp_path):
    (tmp_path / "odd.csv").write_text("system\nx\n")
    table = "| system | n |\n| :-- | --: |\n| a\u2028b | 1 |\n\nA caption.\n"
    (tmp_path / "odd.md").write_text(table, encoding="utf-8")
    (odd,) = read_tables(tmp_path)
    assert [[cell.text for cell in row] for row in odd.rows] == [["a\u2028b", "1"]]
    assert odd.caption == "A caption."


def test_a_suite_without_claims_has_no_verdicts(tmp_path):
    path = tmp_path / "claims.csv"
    path.write_text("claim,verdict\n")
    assert _verdicts(path) == []
    path.write_text("claim,verdict\na,not run (x)\nb,reproduced\nc,not run (y)\n")
    assert _verdicts(path) == [("not run", 2), ("reproduced", 1)]
