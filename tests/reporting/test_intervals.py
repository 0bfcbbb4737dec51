"""Scores with intervals, variants' changes, growth's lines: what is drawn, read from the SVG."""

import json

import pandas as pd

from resrank.evaluation.all_pairs import statistics
from resrank.reporting.figures.growth import one_of_alike
from resrank.reporting.figures.intervals import scores_with_intervals
from resrank.reporting.figures.sensitivity import changes_by_kind
from tests.reporting.synthetic import SCORES


def test_each_panel_has_every_system_by_its_label(tmp_path):
    found = json.loads(json.dumps(statistics(SCORES, "nDCG@10")))
    svg, _ = scores_with_intervals(
        {("c", "bm25"): found, ("d", "bm25"): found}, {"low": "A label"}, "P, 1.", tmp_path / "s"
    )
    text = svg.read_text()
    assert text.count("<!-- A label -->") == 1  # left of the row of panels
    for said in ("c", "d", "first stage bm25", "high", "P, 1."):
        assert f"<!-- {said}" in text


def test_variants_that_were_refused_are_not_drawn(tmp_path):
    variants = [{"kind": "batch", "name": "small", "difference": 0.01},
                {"kind": "dtype", "name": "float32", "refused": "why"}]  # fmt: skip
    found = {("c", "bm25", "x"): {"variants": variants, "queries": 20}}
    text = changes_by_kind(found, {"x": "System X"}, "P.", tmp_path / "s")[0].read_text()
    assert "<!-- System X -->" in text
    assert "over 20 queries" in text


def test_lines_that_coincide_are_one_named_after_all():
    rows = [
        {"system": s, "label": s.upper(), "kind": kind, "axis": "candidates", "at": 10, "flops_online": f}
        for s, f in (("a", 1.0), ("b", 1.0), ("c", 2.0))
        for kind in ("modelled", "measured")
    ]  # fmt: skip
    drawn = one_of_alike(pd.DataFrame(rows))
    lines = drawn[drawn["kind"] == "modelled"]
    assert lines["label"].tolist() == ["A = B", "C"]
    assert len(drawn[drawn["kind"] == "measured"]) == 3
