"""Growth, modelled and measured: by hand, and over a small system of random weights."""

import json
from dataclasses import replace

import pandas as pd
import pytest
import yaml

from resrank.efficiency.assumptions import Assumptions
from resrank.efficiency.flops import flops
from resrank.io.collection import Collection
from resrank.io.yaml import read_yaml
from resrank.jobs import growth as growing
from resrank.jobs.growth import GrowthJob, grow
from resrank.jobs.growth_points import (
    CANDIDATES,
    LENGTHS,
    modelled,
    points,
    request_of,
)
from resrank.model.architectures import published_config
from resrank.model.shapes import architecture
from resrank.records import Query
from resrank.reporting.tables.growth import factors, write_growth
from resrank.suite.load import load_suite
from resrank.work import QueryShape, Work
from tests.conftest import ROOT
from tests.test_cli import run

SUITE = read_yaml(ROOT / "config" / "efficiency.yaml")


@pytest.fixture(scope="module")
def rows():
    resolved = load_suite(SUITE)
    return pd.DataFrame(modelled(resolved, resolved.suite.systems, Assumptions()))


def of(rows, system, axis):
    return rows[(rows["system"] == system) & (rows["axis"] == axis)].set_index("at")


def test_resrank_is_worked_out_by_hand(rows):
    """Prompt: 28 characters of instruction (7 tokens), 10 of the query, 1 closing token."""
    lm, encoder = (
        architecture(published_config(f"Qwen/Qwen3{name}-4B")) for name in ("", "-Embedding")
    )
    point = of(rows, "resrank_4b_random", "candidates").loc[200]
    late = flops(lm, Work(1, 8 + 10 + 200))
    assert point["flops_cached"] == pytest.approx(late, rel=0.02)
    early = flops(encoder, Work(200, 20_000))
    assert point["flops_online"] == pytest.approx(late + early, rel=0.001)
    assert point["ms_cached"] == pytest.approx(1e3 * point["flops_cached"] / (0.3 * 989e12))


RANDOM = " (untrained: random weights)"


def test_compressed_passages_cost_alike_at_every_length_and_text_does_not(rows):
    growth = factors(rows).set_index("system")
    column = "tokens a passage 32 to 512, cached"
    assert growth.loc["ResRank (4B + 4B)" + RANDOM, column] == 1
    assert growth.loc["PE-Rank (BERT-base + 7B)" + RANDOM, column] == 1
    assert growth.loc["RankGPT-style (4B)" + RANDOM, column] > 5
    assert set(rows["axis"]) == {"candidates", "passage_tokens"}
    assert list(of(rows, "first_7b_random", "candidates").index) == CANDIDATES
    assert list(of(rows, "first_7b_random", "passage_tokens").index) == LENGTHS


def test_points_end_where_they_are_told_to():
    made = points(20, 64)
    assert [(axis, at) for axis, at, _ in made] == [
        ("candidates", 10), ("candidates", 20), ("passage_tokens", 32), ("passage_tokens", 64),
    ]  # fmt: skip
    assert made[-1][2] == QueryShape(candidates=20, passage_tokens=64)


def test_passages_have_the_requested_length_and_different_words():
    words = [f"w{n}" for n in range(1000)]
    _, listed = request_of(Query("q", "x"), words, QueryShape(8, 100))
    assert {len(c.passage.text.split()) for c in listed} == {77}
    assert len({c.passage.text for c in listed}) == 8
    with pytest.raises(ValueError, match="too short"):
        request_of(Query("q", "x"), words[:10], QueryShape(8, 100))


def test_measured_beside_modelled(tmp_path, beir, monkeypatch):
    from tests.entries import parse_collection

    monkeypatch.setenv("RESRANK_DATA", str(tmp_path / "data"))
    with (beir / "corpus.jsonl").open("a") as corpus:
        corpus.write(json.dumps({"_id": "long", "title": "", "text": "many words " * 50}) + "\n")
    parse_collection({"kind": "beir", "path": str(beir)}).collect(tmp_path / "c")
    resolved = load_suite(SUITE | {"scale": 64})
    encoder = resolved.systems["resrank_4b_random"].options["encoder"]
    encoder["query_instruction"] = "Instruct: {instruction}\nQuery:"
    assert Collection(tmp_path / "c").hash
    job = GrowthJob(
        suite=resolved,
        systems=["resrank_4b_random"],
        assumed=Assumptions(),
        collection=tmp_path / "c",
        most_candidates=10,
        longest=32,
        repeats=2,
        out=tmp_path / "out",
    )
    rows = grow(job)
    written = write_growth(rows, job.title(rows), tmp_path / "out")
    assert all(path.stat().st_size for path in written)
    assert {path.suffix for path in written} == {".csv", ".md", ".tex", ".svg", ".png"}
    frame = pd.read_csv(tmp_path / "out" / "tables" / "growth.csv")
    timed = frame[frame["kind"] == "measured"]
    assert list(timed["at"]) == [10, 32]
    assert (timed["ms_online"] > 0).all()
    assert (timed["memory_bytes"] > 0).all()
    assert (timed["flops_online"] > timed["flops_cached"]).all()
    lines = frame[(frame["kind"] == "modelled") & (frame["at"] == 10)].set_index("axis")
    dots = timed.set_index("axis")  # candidates: of 77 words each, as the model's 100 tokens
    assert dots["flops_cached"]["candidates"] == pytest.approx(
        lines["flops_cached"]["candidates"], rel=0.5
    )
    system = resolved.systems["resrank_4b_random"]
    assert "{instruction}" in system.typed_options.encoder.query_instruction  # filled in by the job
    monkeypatch.setattr(growing, "_in_a_process", lambda *_: pytest.fail("measured again"))
    assert grow(job) == rows
    with pytest.raises(pytest.fail.Exception, match="measured again"):  # other ends
        grow(replace(job, repeats=3))
    with pytest.raises(ValueError, match="unknown system no; known: "):
        grow(replace(job, systems=["no"], collection=None))


@pytest.mark.parametrize(("words", "scale"), [((), 64), (("--scale", 8), 8)])
def test_the_suites_scale_holds_unless_the_command_sets_another(words, scale, tmp_path):
    suite = tmp_path / "suite.yaml"
    suite.write_text(yaml.safe_dump(SUITE | {"scale": 64}))
    done = run("growth", "--suite", suite, "--system", "first_7b_random", "--out", tmp_path, *words)
    assert done.returncode == 0, done.stderr
    caption = (tmp_path / "tables" / "growth_factors.md").read_text()
    assert f"divided by {scale}." in caption
