"""Untrained selves: each trained system beside the same system before training.

An untrained self has the kind and the options of its trained system, and no training. That of a
system that serves trained models, such as a fusion or a saved ResRank, serves the models that their
trainings start from. Its score shows what the structure gives for free, so that the gain is what
training adds. A compared system may already be one, as `bi_encoder` is that of `bi_encoder_tuned`;
otherwise the suite gets a companion, which may have the name of an entry that is defined but not
listed. Systems that are the same before training share one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from resrank.efficiency.costs import is_random
from resrank.io.yaml import ConfigError
from resrank.reranker_entry import RerankerEntry
from resrank.suite.before_training import UnknownStart, before_training
from resrank.suite.schema import Suite, System

ENDING = "_untrained"


class Starts(NamedTuple):
    """What the trained systems of a suite are before training.

    entries: by system. unknown: systems of which it is not on record, and why.
    """

    entries: dict[str, RerankerEntry]
    unknown: dict[str, str]


def starts_of(suite: Suite, needed: Mapping[str, System]) -> Starts:
    """Return what the suite's trained systems are before training, those that it chooses.

    needed: the systems that the suite uses. There are none if models have random weights, since the
    suite has costs alone then. Raises ConfigError if `untrained` names a system that is not
    trained.
    """
    entries: dict[str, RerankerEntry] = {}
    unknown: dict[str, str] = {}
    for name in suite.systems:
        try:
            start = before_training(needed[name], needed)
        except UnknownStart as error:
            unknown[name] = str(error)
        else:
            entries |= {} if start is None else {name: start}
    chosen = set(_chosen(suite, {*entries, *unknown}))
    if any(map(is_random, needed.values())):
        chosen = set()
    return Starts(
        {name: start for name, start in entries.items() if name in chosen},
        {name: reason for name, reason in unknown.items() if name in chosen},
    )


def untrained_selves(
    suite: Suite,
    needed: Mapping[str, System],
    defined: Mapping[str, System],
    starts: Mapping[str, RerankerEntry],
) -> dict[str, str]:
    """Return each trained system of a suite with the name of its untrained self.

    needed: the systems that the suite uses. defined: all that have a definition. starts: the
    systems before training. A reference of the ablation, or else a system that is trained itself,
    gives a companion its name. Raises ConfigError if that name is taken.
    """
    selves: dict[str, str] = {}

    def order(name: str) -> tuple[bool, bool]:
        return name not in suite.references, needed[name].training is None

    for name in sorted(starts, key=order):
        alike = [other for other in suite.systems if _alike(needed[other], starts[name])]
        compared = [other for other in alike if _covers(suite, needed, other, name)]
        shared = [selves[other] for other in selves if _alike(starts[other], starts[name])]
        selves[name] = next(iter([*compared, *shared]), f"{name}{ENDING}")
        if selves[name] not in compared:
            _check_companion(suite, selves[name], name, starts[name], defined)
    return selves


def companions_of(suite: Suite, selves: Mapping[str, str]) -> dict[str, list[str]]:
    """Return each companion with the trained systems whose untrained self it is.

    suite: as it was written. The first of the systems gives the companion its name.
    """
    companions: dict[str, list[str]] = {}
    for system, untrained in selves.items():
        if untrained not in suite.systems:
            companions.setdefault(untrained, []).append(system)
    return companions


def with_companions(suite: Suite, companions: Mapping[str, Sequence[str]]) -> Suite:
    """Return a suite that also compares the companions, each where one of its systems is."""
    after = {systems[0]: name for name, systems in companions.items()}
    listed = [n for name in suite.systems for n in (name, after.get(name)) if n is not None]
    somewhere = {
        collection: [*names, *(c for c, of in companions.items() if set(of) & set(names))]
        for collection, names in suite.systems_on.items()
    }
    return suite.model_copy(update={"systems": listed, "systems_on": somewhere})


def untrained_entry(name: str, trained: System, start: RerankerEntry) -> System:
    """Return the entry of the untrained self of the system `name`. start: it before training."""
    return System(
        kind=start.kind,
        options=start.options,
        threads=trained.threads,
        label=f"{trained.label or name}, untrained",
    )


def _chosen(suite: Suite, trained: set[str]) -> list[str]:
    """Return the trained systems whose untrained self the suite compares."""
    named = [name for name in suite.systems if name in trained]
    if isinstance(suite.untrained, bool):
        return named if suite.untrained else []
    if unknown := [name for name in suite.untrained if name not in named]:
        allowed = ", ".join(named) or "none is trained"
        raise ConfigError(
            f"untrained: {', '.join(unknown)}: not among the suite's trained systems: {allowed}"
        )
    return suite.untrained


def _check_companion(
    suite: Suite, companion: str, name: str, start: RerankerEntry, defined: Mapping[str, System]
) -> None:
    """Raise ConfigError if the name of a companion is taken by another system.

    An entry that is the untrained self, but is not listed, may have it. name: the trained system's.
    """
    if companion in suite.systems:
        raise ConfigError(
            f"system {companion!r} has the name of the untrained self of {name!r}, but is another "
            f"system, or is not compared on each collection of {name!r}; rename it, add it to "
            f"`systems_on` wherever {name!r} is, or write `untrained: false`"
        )
    entry = defined.get(companion)
    if entry is not None and (entry.training is not None or not _alike(entry, start)):
        raise ConfigError(
            f"system {companion!r} is not the untrained self of {name!r}, but has its name; rename "
            "it, give it the same kind and options, or write `untrained: false`"
        )


def _alike(one: RerankerEntry, other: RerankerEntry) -> bool:
    """Whether two systems differ only in label, training and threads."""
    return one.kind == other.kind and one.typed_options == other.typed_options


def _covers(suite: Suite, needed: Mapping[str, System], other: str, name: str) -> bool:
    """Whether `other` is untrained, and compared on each collection of the system `name`."""
    return needed[other].training is None and all(
        other in suite.systems_of(collection)
        for collection in suite.collections
        if name in suite.systems_of(collection)
    )
