"""The Pareto front: computed by hand, listed in its table, drawn in the figure."""

import pandas as pd
import pytest

from resrank.reporting.figures import effectiveness_cost
from resrank.reporting.pareto import LATENCY, front, on_front
from resrank.reporting.tables.pareto import pareto, write_pareto

NAN = float("nan")


def test_a_front_by_hand():
    # b costs more than a and scores less; c and d tie; e has a's cost and a lower score.
    costs, scores = [1, 2, 3, 3, 1, 4], [0.5, 0.4, 0.6, 0.6, 0.3, NAN]
    assert on_front(costs, scores) == [True, False, True, True, False, False]
    assert on_front([NAN, 1], [0.9, 0.1]) == [False, True]
    assert on_front([], []) == []


ROWS = [
    ("bm25", 0.4, 1.0, None, False),
    ("cross", 0.6, 80.0, None, False),
    ("resrank", 0.7, 90.0, 5.0, True),
    ("slow", 0.5, 95.0, None, False),
]


@pytest.fixture
def frame():
    return pd.DataFrame(
        {"collection": "c", "first_stage": "bm25", "system": name, "label": name.upper(),
         "nDCG@10": score, "nDCG@10 sd": None, "caches_passages": caches,
         "p50_ms_online": online, "p50_ms_cached": cached,
         "tokens_per_passage_online": online, "tokens_per_passage_cached": cached}
        for name, score, online, cached, caches in ROWS
    )  # fmt: skip


def test_a_mode_has_its_own_front(frame):
    online = front(frame, "nDCG@10", LATENCY, "online")
    assert online["system"].tolist() == ["bm25", "cross", "resrank"]
    cached = front(frame, "nDCG@10", LATENCY, "cached")
    assert cached["system"].tolist() == ["bm25", "resrank"]  # at 5 ms it beats the cross-encoder
    assert cached["cost"].tolist() == [1.0, 5.0]


def test_the_table_lists_every_front(frame, tmp_path):
    listed = pareto(frame, "nDCG@10")
    assert listed.groupby(["of", "passages"]).size().tolist() == [2, 3] * 2
    one_mode = pareto(frame[~frame["caches_passages"]], "nDCG@10")
    assert set(one_mode["passages"]) == {"–"}
    write_pareto(frame, "nDCG@10", "Note.", tmp_path)
    text = (tmp_path / "tables" / "pareto.md").read_text()
    assert "| c | bm25 | median latency of a query (ms) | cached | RESRANK | 0.7000 | 5.0 |" in text
    assert "at least the nDCG@10 at no more cost" in text


def test_the_figure_draws_both_fronts_as_steps(frame, tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(effectiveness_cost, "save", lambda figure, out: kept.append(figure) or [])
    effectiveness_cost.effectiveness_against(frame, "nDCG@10", LATENCY, "", tmp_path)
    steps = [line for line in kept[0].axes[0].lines if line.get_drawstyle() == "steps-post"]
    assert [line.get_ydata().tolist() for line in steps] == [[0.4, 0.6, 0.7, 0.7], [0.4, 0.7, 0.7]]
    assert [line.get_xdata()[0] for line in steps] == [1.0, 1.0]
    assert [line.is_dashed() for line in steps] == [False, True]
