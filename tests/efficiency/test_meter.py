import pytest

from resrank.efficiency.meter import measure
from resrank.records import Candidate, Passage, Query, Ranking, Usage


class Slow:
    """Takes 5 ms a query by a clock of its own, 2 ms with passages prepared."""

    def __init__(self):
        self.now, self.prepared, self.calls = 0, False, 0

    def clock(self):
        return self.now

    def rerank(self, query, candidates):
        self.calls += 1
        self.now += 2_000_000 if self.prepared else 5_000_000
        return Ranking(query.id, ("p",), (1.0,), Usage(prompt_tokens=4))


class Caching(Slow):
    def prepare(self, passages, folder):
        self.prepared = True
        return Usage()

    def forget(self):
        self.prepared = False


REQUESTS = [(Query(str(i), "x"), [Candidate(Passage("p", "t"), 1.0)]) for i in range(4)]


def test_both_modes_are_timed_and_warmup_is_not():
    slow = Caching()
    found = measure(slow, REQUESTS, REQUESTS[:1], clock=slow.clock)
    assert found["online"] == {"samples_ms": [5.0] * 4, "p50_ms": 5.0, "p95_ms": 5.0}
    assert found["cached"]["p50_ms"] == 2.0
    assert slow.calls == 10
    assert found["usage"]["prompt_tokens"] == 4


def test_a_system_without_passage_embeddings_has_one_mode():
    slow = Slow()
    assert "cached" not in measure(slow, REQUESTS, [], clock=slow.clock)
    with pytest.raises(ValueError, match="nothing to measure"):
        measure(slow, [], [])
