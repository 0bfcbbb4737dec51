"""Read a suite, replace its names by definitions, and check it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resrank.io.yaml import ConfigError, read_yaml, validated
from resrank.model.architectures import RANDOM
from resrank.model.trained_models import substitute
from resrank.suite.checks import check
from resrank.suite.library import library, pick
from resrank.suite.resolved import Resolved
from resrank.suite.schema import Definitions, Suite, System
from resrank.suite.untrained import (
    companions_of,
    starts_of,
    untrained_entry,
    untrained_selves,
    with_companions,
)
from resrank.suite.used_systems import all_needed, used_by


def load_suite(
    config: Mapping[str, Any] | Path, absent: Mapping[str, str] | None = None
) -> Resolved:
    """Validate a suite (a mapping or a YAML file) against the library in config/.

    absent: optional collections that could not be fetched, and why. Raises ConfigError that names
    the key, the value that was given and the values that are allowed.
    """
    source = str(config) if isinstance(config, Path) else "suite"
    mapping = read_yaml(config) if isinstance(config, Path) else dict(config)
    resolved = _resolve(validated(Suite, mapping, source), library())
    resolved = without(resolved, _unavailable(resolved, absent or {}))
    check(resolved)
    return resolved


def load_planned(config: Mapping[str, Any], source: str) -> Resolved:
    """Resolve a suite that holds every entry that it uses, without the library and all checks.

    The files and networks of this machine were checked when the suite was planned.
    """
    return _resolve(validated(Suite, config, source), Definitions())


def without(resolved: Resolved, skipped: Mapping[str, str]) -> Resolved:
    """Return the suite without the skipped collections, each of which has a reason.

    Systems that were to be compared on these alone are left out too.
    """
    kept = [name for name in resolved.suite.collections if name not in skipped]
    if not kept:
        why = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
        raise ConfigError(f"no collection is left to evaluate: {why}")
    compared = {system for name in kept for system in resolved.suite.systems_of(name)}
    changed = {
        key: [name for name in names if name in compared]
        for key, names in (
            ("systems", resolved.suite.systems),
            ("sensitivity", resolved.suite.sensitivity),
        )
    }
    suite = resolved.suite.model_copy(update={"collections": kept, **changed})
    return resolved.model_copy(update={"suite": suite, "skipped": dict(skipped)})


def reason_to_skip(resolved: Resolved, collection: str, reason: str) -> str:
    """Return why a collection is skipped, with its licence, for tables."""
    return f"{reason} (licence: {resolved.collections[collection].licence})"


def _resolve(suite: Suite, shared: Definitions) -> Resolved:
    """Return the suite with its and the library's definitions, and the systems that it needs."""
    systems = shared.systems | suite.define.systems
    systems = {name: _scaled(spec, suite.scale) for name, spec in systems.items()}
    stages = shared.first_stages | suite.define.first_stages
    for name, stage in stages.items():  # also those that this suite does not use
        used_by(systems, f"first stage {name}", stage.trained_models())
    collections = shared.collections | suite.define.collections
    evaluated = [pick(collections, name, "collection") for name in suite.collections]
    compared = {stage for spec in evaluated for stage in spec.stages(suite.first_stages)}
    needed, needed_stages = all_needed(systems, stages, suite.systems, compared)
    _check_names(suite)
    starts, unknown = starts_of(suite, needed)
    selves = untrained_selves(suite, needed, systems, starts)
    companions = companions_of(suite, selves)
    for companion, (first, *_) in companions.items():
        needed[companion] = untrained_entry(first, needed[first], starts[first])
    return Resolved.model_construct(
        suite=with_companions(suite, companions),
        untrained=selves,
        unknown_starts=unknown,
        given=suite,
        collections=collections,
        first_stages=stages,
        needed_stages=sorted(needed_stages),
        systems=needed,
    )


def _check_names(suite: Suite) -> None:
    """Check that keys that name a compared system name one."""
    baseline = [] if suite.baseline is None else [suite.baseline]
    chosen = {"ablation": suite.references, "baseline": baseline, "sensitivity": suite.sensitivity}
    for key, names in chosen.items():
        for named in set(names) - set(suite.systems):
            raise ConfigError(
                f"{key}: {named!r} is not among the suite's systems: {', '.join(suite.systems)}"
            )


def _scaled(system: System, by: int) -> System:
    """Return a system whose models of random weights are divided in size by `by`."""
    if by == 1:
        return system
    smaller = substitute(system.options, lambda name: f"{RANDOM}{name}@{by}", RANDOM)
    return system.model_copy(update={"options": smaller})


def _unavailable(resolved: Resolved, absent: Mapping[str, str]) -> dict[str, str]:
    """Return the optional collections that cannot be had, or are `absent`, each with the reason."""
    skipped = {}
    for name in filter(resolved.is_optional, resolved.suite.collections):
        lacking = resolved.collections[name].lacks(resolved.suite.offline)
        if reason := absent.get(name) or lacking:
            skipped[name] = reason_to_skip(resolved, name, reason)
    return skipped
