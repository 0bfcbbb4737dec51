"""Untrained selves: each trained system beside the same system before training.

An untrained self has the kind and the options of its trained system, and no training. Its score
shows what the structure gives for free, so that the gain is what training adds. A compared system
may already be one, as `bi_encoder` is that of `bi_encoder_tuned`; otherwise the suite gets a
companion, which may have the name of an entry that is defined but not listed. Trained systems that
differ only in their training share one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from resrank.efficiency.costs import is_random
from resrank.io.yaml import ConfigError
from resrank.suite.schema import Suite, System

ENDING = "_untrained"


def untrained_selves(
    suite: Suite, needed: Mapping[str, System], defined: Mapping[str, System]
) -> dict[str, str]:
    """Return each trained system of a suite with the name of its untrained self.

    needed: the systems that the suite uses. defined: all that have a definition. There are none if
    models have random weights, since the suite has costs alone then. Raises ConfigError if
    `untrained` names a system that is not trained, or if the name of a companion is taken.
    """
    chosen = _chosen(suite, needed)
    if any(map(is_random, needed.values())):
        return {}
    selves: dict[str, str] = {}
    for name in sorted(chosen, key=lambda system: system not in suite.references):
        alike = [other for other in suite.systems if _alike(needed[other], needed[name])]
        compared = [other for other in alike if _covers(suite, needed, other, name)]
        shared = [selves[other] for other in alike if other in selves]
        selves[name] = next(iter([*compared, *shared]), f"{name}{ENDING}")
        if selves[name] not in compared:
            _check_companion(suite, selves[name], name, needed[name], defined)
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


def untrained_entry(name: str, trained: System) -> System:
    """Return the entry of a trained system's untrained self. name: the trained system's."""
    return System(
        kind=trained.kind,
        options=trained.options,
        threads=trained.threads,
        label=f"{trained.label or name}, untrained",
    )


def _chosen(suite: Suite, needed: Mapping[str, System]) -> list[str]:
    """Return the trained systems whose untrained self the suite compares."""
    trained = [name for name in suite.systems if needed[name].training is not None]
    if isinstance(suite.untrained, bool):
        return trained if suite.untrained else []
    if unknown := [name for name in suite.untrained if name not in trained]:
        allowed = ", ".join(trained) or "none is trained"
        raise ConfigError(
            f"untrained: {', '.join(unknown)}: not among the suite's trained systems: {allowed}"
        )
    return suite.untrained


def _check_companion(
    suite: Suite, companion: str, name: str, trained: System, defined: Mapping[str, System]
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
    if entry is not None and (entry.training is not None or not _alike(entry, trained)):
        raise ConfigError(
            f"system {companion!r} is not the untrained self of {name!r}, but has its name; rename "
            "it, give it the same kind and options, or write `untrained: false`"
        )


def _alike(one: System, other: System) -> bool:
    """Whether two systems differ only in label, training and threads."""
    return one.kind == other.kind and one.typed_options == other.typed_options


def _covers(suite: Suite, needed: Mapping[str, System], other: str, name: str) -> bool:
    """Whether `other` is untrained, and compared on each collection of the system `name`."""
    return needed[other].training is None and all(
        other in suite.systems_of(collection)
        for collection in suite.collections
        if name in suite.systems_of(collection)
    )
