"""How many calls a suite makes of the endpoints that its systems ask."""

from __future__ import annotations

from resrank.reporting.plan.needs import number_of_queries
from resrank.reranker_options import StageWork
from resrank.suite.resolved import Resolved
from resrank.work import QueryShape


def endpoint_calls(resolved: Resolved, name: str) -> int | None:
    """Return the calls of a system's runs, and of those that teach others; None if unknown.

    Lists are as long as the first stage allows. Measurements make no call: they take the times of
    the recorded ones.
    """
    runs = len(resolved.seeds_of(name))
    counts: list[int | None] = []
    for collection, stage, system in resolved.compared:
        if system == name:
            queries = resolved.collections[collection].sizes().test_queries
            calls = _calls(resolved, name, resolved.first_stages[stage].depth)
            counts.append(_product(queries, calls, runs))
    for collection, stage, work in resolved.teaching(name):
        sizes = [resolved.collections[collection].sizes()]
        queries = number_of_queries(StageWork(1, 0, work.share), sizes)
        calls = _calls(resolved, name, work.depth or resolved.first_stages[stage].depth)
        counts.append(_product(queries, calls))
    given = [count for count in counts if count is not None]
    return sum(given) if len(given) == len(counts) else None


def _calls(resolved: Resolved, name: str, candidates: int) -> int | None:
    """Return the calls for a list of this length."""
    spec = resolved.systems[name]
    shape = QueryShape(candidates=candidates)
    return spec.reranker.endpoint_calls(spec.typed_options, shape)


def _product(*factors: int | None) -> int | None:
    product = 1
    for factor in factors:
        if factor is None:
            return None
        product *= factor
    return product
