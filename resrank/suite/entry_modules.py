"""Which modules the entries of a suite bring into a job, beside what the job's module imports.

Classes are looked up by name in registries, so no import statement shows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resrank.candidates.kinds import FIRST_STAGES
from resrank.collections.kinds import COLLECTIONS
from resrank.kinds import OWN
from resrank.registry import KINDS, reference
from resrank.suite.schema import System


def system_modules(system: System) -> tuple[str, ...]:
    """Return the modules of a system's reranker and of the rerankers that its options hold."""
    return tuple(dict.fromkeys(_modules(system.kind, system.options)))


def collection_module(kind: str) -> str:
    """Return the module of a kind of collection."""
    return COLLECTIONS.reference(kind).partition(":")[0]


def first_stage_module(kind: str) -> str:
    """Return the module of a kind of first stage."""
    return FIRST_STAGES.reference(kind).partition(":")[0]


def _modules(kind: str, options: Mapping[str, Any]) -> Iterator[str]:
    yield reference(kind).partition(":")[0]
    for value in options.values():
        if isinstance(value, Mapping) and _is_reranker(value.get("kind")):
            yield from _modules(value["kind"], value.get("options", {}))


def _is_reranker(kind: object) -> bool:
    """Whether a `kind` among options names a reranker, not a language model's back end."""
    return isinstance(kind, str) and (kind in KINDS or OWN.fullmatch(kind) is not None)
