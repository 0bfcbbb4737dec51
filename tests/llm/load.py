"""Thousands of requests to an endpoint: how many a second, and what memory they leave behind.

`python -m tests.llm.load --requests 5000 --in-flight 64` asks a local server that answers, fails
and drops connections at random, keeps the answers in a transcript, and prints what was measured.
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
from baselines.llm.transcript import Recorded
from tests.llm.load_server import load_server

FILLER = " ".join(["word"] * 1600)  # a prompt of 8 kB


class Load(NamedTuple):
    """What a run was answered, what the server counted, what it took."""

    answers: list[str]
    transcript: list[str]
    stats: dict[str, Any]
    asked_again: int
    seconds: float
    grown: float
    """MiB of resident memory between a fifth of the answers and all."""


class Memory:
    """Resident memory when so many answers have come."""

    def __init__(self, *counts: int) -> None:
        self.at = dict.fromkeys(counts, 0)
        self.seen = 0
        self.lock = Lock()

    def __call__(self, place: int, answer: Answer) -> None:
        """Count an answer; given to a transcript, which gives each on under no lock."""
        with self.lock:
            self.seen += 1
            if self.seen in self.at:
                gc.collect()
                self.at[self.seen] = psutil.Process().memory_info().rss

    @property
    def grown(self) -> float:
        """MiB between the first count and the last."""
        first, *_, last = self.at.values()
        assert all(self.at.values()), "a count was never reached"
        return (last - first) / 2**20


def load(count: int, in_flight: int, folder: Path) -> Load:
    """Ask `count` prompts, `in_flight` at a time, with a transcript in `folder`; then once more."""
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
        asked_again=sum(after["tries"].values()) - sum(stats["tries"].values()),
        seconds=seconds,
        grown=memory.grown,
    )


def recorded(options: HttpOptions, folder: Path) -> Recorded:
    """An endpoint with a transcript, as a run has it."""
    model = HttpModel(options)
    return Recorded(model, folder / "seed0.trec", model.parameters)


def main() -> None:
    """Print what a load came to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--in-flight", type=int, default=64)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        done = load(given.requests, given.in_flight, Path(folder))
    stats = done.stats
    print(
        f"{len(done.answers):,} answers in {done.seconds:.1f} s, "
        f"{len(done.answers) / done.seconds:.0f} a second; at most {stats['most_active']} in "
        f"flight, {stats['connections']} connections; faults: {stats['faults']}; memory grew by "
        f"{done.grown:.1f} MiB from answer {given.requests // 5:,} to the last"
    )


if __name__ == "__main__":
    main()
