"""How a query's cost grows with the number of candidates and with the passages' length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from resrank.efficiency.assumptions import Assumptions
from resrank.efficiency.costs import Costs
from resrank.ranking import Request
from resrank.records import Candidate, Passage, Query, Usage
from resrank.suite.collection_instruction import served_with
from resrank.suite.resolved import Resolved
from resrank.work import QueryShape

CANDIDATES = [10, 20, 50, 100, 200, 500, 1000]
LENGTHS = [32, 64, 128, 256, 512]
WORDS_A_TOKEN = 0.77  # of English text, for passages of about a number of tokens
USUAL = QueryShape()
Point = tuple[str, int, QueryShape]
"""(what grows, its value, the query there)."""


def points(most_candidates: int, longest: int) -> list[Point]:
    """Return the points of both axes, each with the other at its usual value, up to the ends."""
    counts = [n for n in CANDIDATES if n <= most_candidates]
    lengths = [n for n in LENGTHS if n <= longest]
    usual = USUAL._replace(candidates=min(USUAL.candidates, most_candidates))
    return [("candidates", n, USUAL._replace(candidates=n)) for n in counts] + [
        ("passage_tokens", n, usual._replace(passage_tokens=n)) for n in lengths
    ]


def modelled(
    resolved: Resolved, names: Sequence[str], assumed: Assumptions
) -> list[dict[str, Any]]:
    """Return a row per system and point, from its options and its models' shapes alone.

    Milliseconds follow from FLOPs and, for generated tokens, from the weights read, at the assumed
    device's rate. A system whose cost is unknown has no rows.
    """
    rows = []
    for name in names:
        spec = resolved.systems[name]
        costs = Costs(spec, resolved.systems)
        for axis, at, shape in points(CANDIDATES[-1], LENGTHS[-1]):
            usage = spec.estimate_usage(shape)
            cost = None if usage is None else costs.of(usage, shape.candidates)
            if usage is None or cost is None or cost.online == 0:
                continue
            rows.append({
                "system": name, "label": resolved.label(name), "axis": axis, "at": at,
                "kind": "modelled",
                "flops_online": cost.online,
                "flops_cached": cost.cached,
                "ms_online": 1e3 * assumed.seconds(cost.online, cost.stepped),
                "ms_cached": 1e3 * assumed.seconds(cost.cached, cost.stepped),
                "memory_bytes": costs.memory(usage, shape.candidates),
            })  # fmt: skip
    return rows


class Measuring(NamedTuple):
    """What is measured: a query over passages of a running text's words, and the axes' ends.

    instruction: of the query's collection.
    """

    words: Sequence[str]
    query: Query
    most_candidates: int
    longest: int
    repeats: int
    instruction: str


def measured(resolved: Resolved, name: str, measuring: Measuring) -> Iterator[dict[str, Any]]:
    """Yield a row per point: medians of `repeats` queries through the meter.

    Milliseconds and memory are what the meter measures, one query at a time; FLOPs are computed
    from what the queries used.
    """
    from resrank.efficiency.loadgen import Scenario
    from resrank.efficiency.meter import MeterOptions, measure
    from resrank.jobs.inputs import load

    spec = resolved.systems[name]
    served = {"options": served_with(spec.kind, spec.options, measuring.instruction)}
    costs = Costs(spec, resolved.systems)
    reranker = load(spec.model_copy(update=served), None)
    for axis, at, shape in points(measuring.most_candidates, measuring.longest):
        request = request_of(measuring.query, measuring.words, shape)
        options = MeterOptions(warmup=[request], scenarios=[Scenario.SINGLE_STREAM])
        result = measure(reranker, [request] * measuring.repeats, options)
        cost = costs.of(Usage(**result["usage"]), shape.candidates)
        memory = result["online"]["memory"]
        yield {
            "system": name, "label": resolved.label(name), "axis": axis, "at": at,
            "kind": "measured",
            "flops_online": cost and cost.online, "flops_cached": cost and cost.cached,
            "ms_online": result["online"]["p50_ms"],
            "ms_cached": result.get("cached", result["online"])["p50_ms"],
            "memory_bytes": memory["device_peak_bytes"] or memory["host_peak_bytes"],
        }  # fmt: skip


def request_of(query: Query, words: Sequence[str], shape: QueryShape) -> Request:
    """Return a query with candidates of about this many tokens, each of other words of a text.

    Raises ValueError if the text is too short for one passage.
    """
    length = max(1, round(shape.passage_tokens * WORDS_A_TOKEN))
    if len(words) < length:
        raise ValueError(f"a text of {len(words)} words is too short for passages of {length}")
    listed = []
    for place in range(shape.candidates):
        start = place * length % (len(words) - length + 1)
        text = " ".join(words[start : start + length])
        listed.append(Candidate(Passage(f"p{place}", text), -float(place)))
    return query, listed


def running_text(passages: Iterable[Passage], most: int = 100_000) -> list[str]:
    """Return the words of passages one after the other, up to `most`."""
    return list(islice((word for passage in passages for word in passage.text.split()), most))
