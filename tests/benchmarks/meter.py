"""The meter's overhead per call, and how well medians repeat: `python -m tests.benchmarks.meter`.

A call takes 10 ms and has 20 marks. ResRank makes four marks per query. FIRST makes one per window
and PE-Rank one per step, which are more, but in far longer calls. Calls are timed by their thread's
processor time, so that other processes on the machine do not count. Calls with and without the
meter alternate, since a machine's speed drifts.
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from resrank.collections.see_also import Objects
from resrank.efficiency.phase_clock import PhaseClock
from resrank.efficiency.scenarios import single_stream
from resrank.io.environment import processor
from resrank.model.options import EncoderOptions, ResRankOptions, ScratchDecoder
from resrank.phases import phase
from resrank.records import Candidate, Passage, Query
from resrank.resrank_reranker import ResRankSystem

MARKS = 20
CALLS = 200


def busy(steps: int) -> float:
    """Do `steps` sums in each of MARKS marked pieces, the same number of operations each time."""
    total, numbers = 0.0, np.ones(1000)
    for _ in range(MARKS):
        with phase("decode"):
            for _ in range(steps):
                total += float(numbers.sum())
    return total


def timed(call) -> float:
    """Return the processor time of a call, in milliseconds."""
    start = time.thread_time_ns()
    call()
    return (time.thread_time_ns() - start) / 1e6


def steps_of(milliseconds: float) -> int:
    """Return how many steps a piece needs for a call of this length."""
    steps = 10
    return max(1, round(steps * milliseconds / min(timed(lambda: busy(steps)) for _ in range(9))))


def overhead() -> tuple[float, float]:
    """Return the median time of a call without and with the meter, in milliseconds."""
    steps, stopwatch = steps_of(10), PhaseClock()

    def metered() -> None:
        with stopwatch.call():
            busy(steps)

    pairs = [(timed(lambda: busy(steps)), timed(metered)) for _ in range(CALLS)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def requests(queries: int):
    objects = Objects()
    objects.add("networkx", 100)
    texts = [doc.text for _, doc in sorted(objects.docs.items())][:100]
    candidates = [Candidate(Passage(str(i), text), float(-i)) for i, text in enumerate(texts)]
    return [(Query(str(n), texts[n].partition(".")[0]), candidates) for n in range(queries)]


def repeated() -> list[float]:
    """Return the SingleStream medians, in ms, of two runs of ResRank with stored embeddings."""
    options = ResRankOptions(
        encoder=EncoderOptions(dtype="float32"), reranker=ScratchDecoder(layers=2)
    )
    samples = requests(64)
    with tempfile.TemporaryDirectory() as folder:
        system = ResRankSystem.load(options)
        system.prepare([c.passage for c in samples[0][1]], Path(folder))
        for request in samples[:5]:
            system.rerank(*request)
        return [single_stream(system.rerank, samples)[0]["p50_ms"] for _ in range(2)]


def main() -> None:
    bare, metered = overhead()
    first, second = repeated()
    print(f"Machine: {processor()}.\n")
    print("| what | first | second | difference |\n| :-- | --: | --: | --: |")
    for what, a, b in (
        (f"a call with {MARKS} marks, processor ms: without and with the meter", bare, metered),
        ("SingleStream p50 of ResRank, cached, 64 queries, ms: two runs", first, second),
    ):
        print(f"| {what} | {a:.3f} | {b:.3f} | {(b - a) / a:+.2%} |")


if __name__ == "__main__":
    main()
