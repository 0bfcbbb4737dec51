"""Layout of figures: no two texts overlap, even in the worst realistic case."""

import itertools

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from resrank.reporting.figures import (
    difference_matrix,
    effectiveness_cost,
    intervals,
    reliability,
    sensitivity,
)
from resrank.reporting.figures.effectiveness_cost import covered
from resrank.reporting.figures.style import COLOURS, MARKERS, colour_and_marker
from resrank.reporting.pareto import CostAxis

SYSTEMS = {f"s{n}": f"System {n} (some-organisation/some-model-{n}-of-7B)" for n in range(10)}
SETS = [(f"a_collection_of_{n}_published", "fused_minilm") for n in range(5)]
NOTE = "A long description of the conditions of the measurement. " * 8
MODULES = (difference_matrix, effectiveness_cost, intervals, reliability, sensitivity)


def test_no_two_systems_look_the_same():
    assert len({colour_and_marker(place) for place in range(104)}) == 104
    assert len({colour_and_marker(place)[1] for place in range(13)}) == 13  # also without colour
    assert colour_and_marker(7) == (COLOURS[7], MARKERS[7])


def draw_costs(out, sets, systems):
    rows = [
        {"collection": c, "first_stage": s, "system": name, "label": label,
         "nDCG@10": 0.5 + place / 100, "nDCG@10 sd": None, "caches_passages": place % 2 == 1,
         "online": 100.0 * (place + 1), "cached": 10.0 * place if place % 2 else None}
        for c, s in sets for place, (name, label) in enumerate(systems.items())
    ]  # fmt: skip
    cost = CostAxis("online", "cached", "cost")
    effectiveness_cost.effectiveness_against(pd.DataFrame(rows), "nDCG@10", cost, NOTE, out)


def statistics(sets, systems):
    rows = [{"system": n, "mean": 0.5 + i / 100, "low": 0.45, "high": 0.65, "min": 0.5, "max": 0.6,
             "companion": False}
            for i, n in enumerate(systems)]  # fmt: skip
    pairs = [{"a": a, "b": b, "difference": -0.125, "p_holm": 0.001, "within_seeds": True}
             for a, b in itertools.combinations(systems, 2)]  # fmt: skip
    one = {"metric": "nDCG@10", "level": 0.05, "systems": rows, "pairs": pairs, "baseline": None}
    return dict.fromkeys(sets, one)


def draw_scores(out, sets, systems):
    intervals.scores_with_intervals(statistics(sets, systems), systems, NOTE, out)


def draw_significance(out, sets, systems):
    difference_matrix.difference_matrix(statistics(sets, systems), systems, NOTE, out)


def draw_reliability(out, sets, systems):
    bins = [{"bin": b, "pairs": 9, "confidence": b, "correct": b} for b in range(10)]
    runs = [{"collection": c, "first_stage": s, "system": name, "reliability": bins}
            for c, s in sets for name in systems]  # fmt: skip
    reliability.reliability_figure(runs, systems, NOTE, out)


def draw_sensitivity(out, sets, systems):
    variants = [{"kind": kind, "name": kind, "difference": 0.01} for kind in sensitivity.KINDS]
    results = {
        (c, s, name): {"queries": 9, "variants": variants} for c, s in sets for name in systems
    }
    sensitivity.changes_by_kind(results, systems, NOTE, out)


@pytest.mark.parametrize("sets", [SETS, SETS[:1]], ids=["five", "one"])
@pytest.mark.parametrize("systems", [SYSTEMS, {"s0": SYSTEMS["s0"]}], ids=["ten", "alone"])
@pytest.mark.parametrize(
    "draw",
    [draw_costs, draw_scores, draw_significance, draw_reliability, draw_sensitivity],
)
def test_no_two_texts_overlap(tmp_path, monkeypatch, draw, systems, sets):
    figures = []
    for module in MODULES:
        monkeypatch.setattr(module, "save", lambda figure, out: figures.append(figure))
    draw(tmp_path / "figure", sets, systems)
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figures[0])]
    plt.close(figures[0])
    assert len(boxes) > len(systems)
    overlapping = [
        (a, b)
        for (a, one), (b, other) in itertools.combinations(boxes, 2)
        if one.shrunk(0.95, 0.9).overlaps(other.shrunk(0.95, 0.9))
    ]
    assert overlapping == []


def texts(figure):
    """Return every visible text of a figure."""
    figure.draw_without_rendering()
    everything = [
        *figure.texts,
        *(text for legend in figure.legends for text in legend.get_texts()),
    ]
    for axes in figure.axes:
        if not axes.axison:
            continue
        everything += [
            axes.title,
            axes._left_title,
            axes.xaxis.label,
            axes.yaxis.label,
            *axes.texts,
        ]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            everything += [label for tick in ticks for label in (tick.label1, tick.label2)]
    return [text for text in everything if text.get_visible() and text.get_text().strip()]


def test_covered_markers_are_counted():
    rows = pd.DataFrame({"online": [1.0, 100.0, 100.0, 101.0], "cached": [None, 10.0, 10.0, 50.0]})
    score = pd.Series([0.1, 0.5, 0.5, 0.501])
    assert covered(rows, score) == [0, 0, 1, 2]
    assert covered(rows, score.where(score < 0.5005, 0.6)) == [0, 0, 1, 0]
