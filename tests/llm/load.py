"""Load test of the HTTP client: thousands of requests, their rate, and the memory growth.

`python -m tests.llm.load --requests 5000 --in-flight 64` sends requests to a local server that
answers, fails and drops connections at random. It keeps the answers in a transcript and prints the
measurements.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import psutil
import requests

from baselines.llm.backends.http import HttpModel
from baselines.llm.interface import Answer, Message, Prompt
from baselines.llm.options import HttpOptions
from baselines.llm.transcript import RecordedModel
from tests.llm.load_server import load_server

FILLER = " ".join(["word"] * 1600)  # a prompt of 8 kB


class Load(NamedTuple):
    """The answers of a load test, the server's counts, and the time and memory used."""

    answers: list[str]
    transcript: list[str]
    stats: dict[str, Any]
    repeated: int
    seconds: float
    grown: float
    """MiB of resident memory between a fifth of the answers and all."""


class Memory:
    """Measures resident memory after given numbers of answers."""

    def __init__(self, *counts: int) -> None:
        self.at = dict.fromkeys(counts, 0)
        self.count = 0
        self.lock = Lock()

    def __call__(self, place: int, answer: Answer) -> None:
        """Count an answer. The transcript calls this without a lock."""
        with self.lock:
            self.count += 1
            if self.count in self.at:
                gc.collect()
                self.at[self.count] = psutil.Process().memory_info().rss

    @property
    def grown(self) -> float:
        """MiB between the first count and the last."""
        first, *_, last = self.at.values()
        assert all(self.at.values()), "a count was never reached"
        return (last - first) / 2**20


def load(count: int, in_flight: int, folder: Path) -> Load:
    """Send `count` prompts, `in_flight` at a time, with a transcript in `folder`; then repeat."""
    prompts: list[Prompt] = [(Message("user", f"{n} {FILLER}"),) for n in range(count)]
    memory = Memory(count // 5, count)
    with load_server(in_flight) as url:
        options = HttpOptions(kind="http", url=f"{url}/v1", model="m", in_flight=in_flight)
        start = time.monotonic()
        model = recorded(options, folder)
        answers = dict(model.answers(prompts, 8, memory))
        seconds = time.monotonic() - start
        stats = requests.get(f"{url}/stats", timeout=60).json()
        again = dict(recorded(options, folder).answers(prompts, 8))
        assert again == answers
        after = requests.get(f"{url}/stats", timeout=60).json()
    return Load(
        answers=[answers[place].text for place in range(count)],
        transcript=model.path.read_text().splitlines(),
        stats=stats,
        repeated=sum(after["tries"].values()) - sum(stats["tries"].values()),
        seconds=seconds,
        grown=memory.grown,
    )


def recorded(options: HttpOptions, folder: Path) -> RecordedModel:
    """Return an endpoint with a transcript, as in a run."""
    model = HttpModel(options)
    return RecordedModel(model, folder / "seed0.trec", model.parameters)


def main() -> None:
    """Run a load test and print its measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--in-flight", type=int, default=64)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        done = load(args.requests, args.in_flight, Path(folder))
    stats = done.stats
    print(
        f"{len(done.answers):,} answers in {done.seconds:.1f} s, "
        f"{len(done.answers) / done.seconds:.0f} a second; at most {stats['most_active']} in "
        f"flight, {stats['connections']} connections; faults: {stats['faults']}; memory grew by "
        f"{done.grown:.1f} MiB from answer {args.requests // 5:,} to the last"
    )


if __name__ == "__main__":
    main()
