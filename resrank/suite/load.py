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
from resrank.suite.used_systems import used_by, with_used


def load_suite(
    config: Mapping[str, Any] | Path,
    absent: Mapping[str, str] | None = None,
    definitions: Definitions | None = None,
) -> Resolved:
    """Validate a suite (a mapping or a YAML file) against the library in config/.

    absent: optional collections that could not be fetched, and why; definitions: entries to use in
    place of the library. Raises ConfigError that names the key, the value that was given and the
    values that are allowed.
    """
    source = str(config) if isinstance(config, Path) else "suite"
    mapping = read_yaml(config) if isinstance(config, Path) else dict(config)
    resolved = _resolve(validated(Suite, mapping, source), definitions or library())
    resolved = _without_absent(resolved, absent or {})
    check(resolved)
    return resolved


def _resolve(suite: Suite, shared: Definitions) -> Resolved:
    """Return the suite with its and the library's definitions, and the systems that it needs."""
    systems = shared.systems | suite.define.systems
    systems = {name: _scaled(spec, suite.scale) for name, spec in systems.items()}
    stages = shared.first_stages | suite.define.first_stages
    compared = with_used(systems, suite.systems)
    for name, stage in stages.items():
        compared |= used_by(systems, f"first stage {name}", stage.trained_models())
    chosen = {"ablation": [suite.ablation], "baseline": [suite.baseline]}
    for key, names in (chosen | {"sensitivity": suite.sensitivity}).items():
        for named in set(names) - {None, *suite.systems}:
            raise ConfigError(
                f"{key}: {named!r} is not among the suite's systems: {', '.join(suite.systems)}"
            )
    return Resolved.model_construct(
        suite=suite,
        given=suite,
        collections=shared.collections | suite.define.collections,
        first_stages=stages,
        systems=compared,
    )


def _scaled(system: System, by: int) -> System:
    """Return a system whose models of random weights are divided in size by `by`."""
    if by == 1:
        return system
    smaller = substitute(system.options, lambda name: f"{RANDOM}{name}@{by}", RANDOM)
    return system.model_copy(update={"options": smaller})


def _without_absent(resolved: Resolved, absent: Mapping[str, str]) -> Resolved:
    """Return the suite without optional collections that cannot be had, or are `absent`."""
    skipped = {}
    for name in resolved.suite.collections:
        spec = pick(resolved.collections, name, "collection")
        if not resolved.is_optional(name):
            continue
        if reason := absent.get(name) or spec.lacks(resolved.suite.offline):
            skipped[name] = f"{reason} (licence: {spec.licence})"
    kept = [name for name in resolved.suite.collections if name not in skipped]
    if not kept:
        why = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
        raise ConfigError(f"no collection is left to evaluate: {why}")
    suite = resolved.suite.model_copy(update={"collections": kept})
    return resolved.model_copy(update={"suite": suite, "skipped": skipped})
