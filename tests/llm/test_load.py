"""Thousands of requests, 64 in flight, to an endpoint that fails now and then."""

import json

import pytest

from tests.llm.load import load

COUNT, IN_FLIGHT = 2500, 64


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return load(COUNT, IN_FLIGHT, tmp_path_factory.mktemp("load"))


def test_each_prompt_has_its_own_answer(done):
    assert done.answers == [f"[{place}]" for place in range(COUNT)]
    rows = [json.loads(line) for line in done.transcript]
    numbers = [row["prompt"][0]["content"].split()[0] for row in rows]
    assert sorted(map(int, numbers)) == list(range(COUNT))
    assert [row["text"] for row in rows] == [f"[{number}]" for number in numbers]


def test_answered_requests_are_not_repeated(done):
    stats = done.stats
    assert len(stats["faults"]) == 4
    assert set(stats["answered"].values()) == {1}
    for number, tries in stats["tries"].items():
        assert tries == 1 + stats["failed"].get(number, 0)
    assert done.repeated == 0  # by a second run beside the transcript


def test_requests_in_flight_reach_the_limit_over_persistent_connections(done):
    stats = done.stats
    assert stats["most_active"] == IN_FLIGHT
    dropped = stats["faults"]["drop"] + stats["faults"]["half"]
    assert stats["connections"] <= IN_FLIGHT + dropped + 1  # the last asks for the counts


def test_memory_does_not_grow_with_the_prompts(done):
    assert done.grown < 8  # MiB; a second copy of the prompts would take 15
