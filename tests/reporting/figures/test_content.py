"""Content of the figures of scores, sensitivity and growth, read from the SVG."""

import json

import pandas as pd

from resrank.evaluation.all_pairs import statistics
from resrank.reporting.figures import effectiveness_cost
from resrank.reporting.figures.growth import merge_identical
from resrank.reporting.figures.intervals import scores_with_intervals
from resrank.reporting.figures.sensitivity import changes_by_kind
from resrank.reporting.pareto import LATENCY
from tests.reporting.synthetic_scores import SCORES


def test_the_first_panel_of_a_row_names_every_system(tmp_path):
    results = json.loads(json.dumps(statistics(SCORES, "nDCG@10")))
    svg, _ = scores_with_intervals(
        {("c", "bm25"): results, ("d", "bm25"): results},
        {"low": "A label"},
        "P, 1.",
        tmp_path / "s",
    )
    text = svg.read_text()
    assert text.count("<!-- A label -->") == 1  # left of the row of panels
    for part in ("c", "d", "first stage bm25", "high", "P, 1."):
        assert f"<!-- {part}" in text


def test_refused_variants_are_not_drawn(tmp_path):
    variants = [{"kind": "batch", "name": "small", "difference": 0.01},
                {"kind": "dtype", "name": "float32", "refused": "why"}]  # fmt: skip
    results = {("c", "bm25", "x"): {"variants": variants, "queries": 20}}
    text = changes_by_kind(results, {"x": "System X"}, "P.", tmp_path / "s")[0].read_text()
    assert "<!-- System X -->" in text
    assert "over 20 queries" in text


def test_coinciding_lines_are_drawn_once_with_all_names():
    rows = [
        {"system": s, "label": s.upper(), "kind": kind, "axis": "candidates", "at": 10, "flops_online": f}
        for s, f in (("a", 1.0), ("b", 1.0), ("c", 2.0))
        for kind in ("modelled", "measured")
    ]  # fmt: skip
    drawn = merge_identical(pd.DataFrame(rows))
    lines = drawn[drawn["kind"] == "modelled"]
    assert lines["label"].tolist() == ["A = B", "C"]
    assert len(drawn[drawn["kind"] == "measured"]) == 3


def test_a_system_has_one_colour_and_marker_in_every_panel(tmp_path, monkeypatch):
    rows = [
        {"collection": c, "first_stage": "bm25", "system": s, "label": s.upper(), "nDCG@10": 0.1 * n,
         "p50_ms_online": float(n), "p50_ms_cached": None, "caches_passages": False}
        for c, systems in (("all", "abc"), ("few", "bd")) for n, s in enumerate(systems, 1)
    ]  # fmt: skip
    kept = []
    monkeypatch.setattr(effectiveness_cost, "save", lambda figure, out: kept.append(figure) or [])
    latency = LATENCY
    effectiveness_cost.effectiveness_against(pd.DataFrame(rows), "nDCG@10", latency, "", tmp_path)
    first, second = kept[0].axes
    named = {line.get_label(): line for line in first.lines if not line.get_label().startswith("_")}
    assert list(named) == ["A", "B", "C", "D"]
    markers = [line for line in second.lines if line.get_drawstyle() == "default"]
    for label, line in zip("BD", markers, strict=True):
        assert line.get_color() == named[label].get_color()
        assert line.get_marker() == named[label].get_marker()
