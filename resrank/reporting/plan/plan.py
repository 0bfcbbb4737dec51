"""The plan of a suite: what it fetches, loads, trains, runs and costs. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from resrank.collections.base import CollectionKind
from resrank.collections.file_locations import is_here
from resrank.collections.remote_file import RemoteFile
from resrank.efficiency.assumptions import Assumptions
from resrank.reporting.plan.endpoint_calls import endpoint_calls
from resrank.reporting.plan.estimate import estimate
from resrank.reporting.plan.format import UNKNOWN, size_text
from resrank.reporting.plan.models import models
from resrank.suite.resolved import Resolved
from resrank.suite.used_systems import teachers_of


def plan(resolved: Resolved, assumed: Assumptions | None = None) -> str:
    """Return a suite's collections, models and systems as text, with their costs.

    Files that are already on disk are not counted as files to fetch.
    """
    lines = [f"Suite {resolved.suite.name}: {resolved.suite.title or ''}".rstrip(": ")]
    lines += ["", "Collections:", *_collections(resolved)]
    lines += ["", "Models:"]
    loaded = models(resolved).items()
    lines += [f"  {model}; for {', '.join(owners)}" for model, owners in loaded] or ["  none"]
    lines += ["", "Systems:", *_systems(resolved), *_teachers(resolved)]
    lines += ["", *estimate(resolved, assumed or Assumptions())]
    return "\n".join(lines)


def _collections(resolved: Resolved) -> Iterator[str]:
    files: dict[str, RemoteFile] = {}
    for name in resolved.suite.collections + resolved.only_learned_from:
        spec = resolved.collections[name]
        files |= {file.checksum: file for file in spec.remote_files()}
        terms = f"; terms: {spec.terms}" if spec.terms else ""
        yield f"  {name}: {_state(spec)}; licence: {spec.licence}{terms}"
    for name, reason in resolved.skipped.items():
        yield f"  skipped: {name}, {reason}"
    absent = [file for file in files.values() if not is_here(file)]
    yield f"  to fetch: {len(absent)} files, {size_text(sum(file.bytes for file in absent))}"


def _state(spec: CollectionKind) -> str:
    """Return what of a collection must be fetched or made, and its sizes."""
    files = spec.remote_files()
    absent = [file for file in files if not is_here(file)]
    if absent:
        size = size_text(sum(file.bytes for file in absent))
        return f"{len(absent)} of {len(files)} files to fetch, {size}"
    if files:
        return "here"
    sizes = spec.sizes()._asdict().items()
    counts = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in sizes if n is not None)
    return f"{spec.preparation}: {counts}" if counts else spec.preparation


def _systems(resolved: Resolved) -> Iterator[str]:
    for name in resolved.suite.systems:
        if name in resolved.companions:
            yield _companion(resolved, name)
            continue
        is_trained = resolved.systems[name].training is not None
        trained = f"trained on {_mixture(resolved.mixture(name))}, " if is_trained else ""
        sets = sum(system == name for _, _, system in resolved.compared)
        count = len(resolved.seeds_of(name)) * sets
        yield f"  {name}: {trained}{count} runs, {sets} measurements{_calls(resolved, name)}"


def _teachers(resolved: Resolved) -> Iterator[str]:
    """Yield a line per system that is not compared, but teaches others."""
    for name in (n for n in resolved.teachers if n not in resolved.suite.systems):
        pupils = [n for n, spec in resolved.systems.items() if name in teachers_of(spec)]
        yield f"  {name}: teaches {', '.join(sorted(pupils))}{_calls(resolved, name)}"


def _calls(resolved: Resolved, name: str) -> str:
    """Return how many calls a system's runs make of an endpoint; empty if it asks none."""
    if not resolved.systems[name].typed_options.asks_endpoint:
        return ""
    calls = endpoint_calls(resolved, name)
    return f", {UNKNOWN if calls is None else f'{calls:,}'} calls to an endpoint"


def _mixture(weights: Mapping[str, float]) -> str:
    """Return the collections of a training; if there are several, with their shares."""
    total = sum(weights.values())
    shares = [f"{name} ({weight / total:.0%})" for name, weight in weights.items()]
    return ", ".join(shares if len(weights) > 1 else weights)


def _companion(resolved: Resolved, name: str) -> str:
    sets = sum(system == name for _, _, system in resolved.compared)
    trained = ", ".join(resolved.companions[name])
    count = len(resolved.seeds_of(name)) * sets
    return f"  {name}: untrained, for comparison with {trained}, {count} runs"
