"""What a suite needs beside what it names: trained systems, first stages, and what these use.

`trained:<system>` in an entry uses a trained system, and `teacher: system:<name>` in its training
any system; a fusion uses first stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from resrank.candidates.base import FirstStageKind
from resrank.io.yaml import ConfigError
from resrank.model.trained_models import used_models
from resrank.suite.library import pick
from resrank.suite.schema import System


def with_used(
    systems: Mapping[str, System], names: Sequence[str], above: tuple[str, ...] = ()
) -> dict[str, System]:
    """Return the named systems, those that they use, and those that teach them.

    above: the systems that use, or are taught by, the named ones. ConfigError names a cycle.
    """
    named = {name: pick(systems, name, "system") for name in names}
    for name, spec in list(named.items()):
        named |= used_by(systems, name, used_models(spec.options), above)
        for teacher in teachers_of(spec):
            _check_no_cycle(teacher, (*above, name))
            named |= with_used(systems, [teacher], (*above, name))
    return named


def teachers_of(system: System) -> list[str]:
    """Return the systems that teach a system, sorted by name."""
    training = system.typed_training
    return [] if training is None else sorted({work.system for work in training.teachers})


def systems_below(system: System) -> list[str]:
    """Return the systems that an entry names: those whose models it uses, then its teachers."""
    return list(dict.fromkeys([*used_models(system.options), *teachers_of(system)]))


def used_by(
    systems: Mapping[str, System], owner: str, needed: Sequence[str], above: tuple[str, ...] = ()
) -> dict[str, System]:
    """Return the trained systems that `owner` uses, and those that these use.

    above: the systems that use the owner. ConfigError if a system uses itself or is not trained.
    """
    used: dict[str, System] = {}
    for name in needed:
        _check_no_cycle(name, (*above, owner))
        if pick(systems, name, "system").training is None:
            raise ConfigError(
                f"{owner!r} names 'trained:{name}', but system {name!r} has no 'training'"
            )
        used |= with_used(systems, [name], (*above, owner))
    return used


def _check_no_cycle(name: str, above: tuple[str, ...]) -> None:
    """Raise ConfigError if a system is among those that use it or are taught by it."""
    if name in above:
        chain = " -> ".join([*above[above.index(name) :], name])
        raise ConfigError(
            f"system {name!r} uses itself or teaches itself: {chain}, by 'trained:<system>' or "
            "'teacher: system:<system>'; name another model or another teacher"
        )


def with_fused(
    stages: Mapping[str, FirstStageKind], names: Iterable[str], above: tuple[str, ...] = ()
) -> dict[str, FirstStageKind]:
    """Return the named first stages and those that they fuse, at any depth.

    above: the fusions that fuse the named ones. ConfigError if a fusion fuses itself.
    """
    reached: dict[str, FirstStageKind] = {}
    for name in names:
        if name in above:
            raise ConfigError(f"first stage {name!r} fuses itself")
        reached[name] = pick(stages, name, "first stage")
        reached |= with_fused(stages, reached[name].names_of_fused(), (*above, name))
    return reached


def all_needed(
    systems: Mapping[str, System],
    stages: Mapping[str, FirstStageKind],
    systems_compared: Sequence[str],
    stages_compared: Iterable[str],
) -> tuple[dict[str, System], dict[str, FirstStageKind]]:
    """Return the systems and the first stages that a comparison needs, itself or indirectly.

    A trained system needs the first stage whose lists it learns from; a dense first stage may need
    a trained system.
    """
    needed = with_used(systems, systems_compared)
    reached: dict[str, FirstStageKind] = {}
    waiting = set(stages_compared)
    while waiting - set(reached):
        reached |= with_fused(stages, sorted(waiting))
        for name, stage in reached.items():
            needed |= used_by(systems, f"first stage {name}", stage.trained_models())
        waiting = {spec.trained_with for spec in needed.values() if spec.training is not None}
    return needed, reached
