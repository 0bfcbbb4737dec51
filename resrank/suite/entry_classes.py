"""Which classes the entries of a suite bring into a job, each as `module:Class`.

They are looked up by name in tables of kinds, so no import statement shows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resrank.candidates.kinds import FIRST_STAGES
from resrank.collections.kinds import COLLECTIONS
from resrank.kinds import OWN
from resrank.registry import KINDS, reference
from resrank.suite.schema import System
from resrank.training.options import OWN_TEXT_STAGE


def system_classes(system: System) -> tuple[str, ...]:
    """Return the class of a system's reranker and those of the rerankers that its options hold."""
    return tuple(dict.fromkeys(_classes(system.kind, system.options)))


def training_classes(system: System) -> tuple[str, ...]:
    """Return the classes that a system's training uses: its own, and a first stage for own text."""
    training = system.typed_training
    draws = training is not None and training.pseudo_queries > 0
    return system_classes(system) + ((first_stage_class(OWN_TEXT_STAGE),) if draws else ())


def collection_class(kind: str) -> str:
    """Return the class of a kind of collection."""
    return COLLECTIONS.reference(kind)


def first_stage_class(kind: str) -> str:
    """Return the class of a kind of first stage."""
    return FIRST_STAGES.reference(kind)


def _classes(kind: str, options: Mapping[str, Any]) -> Iterator[str]:
    yield reference(kind)
    for value in options.values():
        for entry in value if isinstance(value, list | tuple) else [value]:
            if isinstance(entry, Mapping) and is_reranker_kind(entry.get("kind")):
                yield from _classes(entry["kind"], entry.get("options", {}))


def is_reranker_kind(kind: object) -> bool:
    """Whether a `kind` among options names a reranker, not a language model's back end."""
    return isinstance(kind, str) and (kind in KINDS or OWN.fullmatch(kind) is not None)
