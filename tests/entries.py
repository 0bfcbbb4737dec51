"""Entries of a configuration as objects of their kind."""

from typing import Any

from resrank.candidates.base import FirstStageKind
from resrank.candidates.kinds import FIRST_STAGES
from resrank.collections.base import CollectionKind
from resrank.collections.kinds import COLLECTIONS


def parse_collection(value: Any) -> CollectionKind:
    """Return a collection's entry, a mapping with a `kind`, as an object of its kind."""
    return COLLECTIONS.read(value, CollectionKind)


def parse_first_stage(value: Any) -> FirstStageKind:
    """Return a first stage's entry, a mapping with a `kind`, as an object of its kind."""
    return FIRST_STAGES.read(value, FirstStageKind)
