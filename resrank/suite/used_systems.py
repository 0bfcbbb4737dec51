"""The trained systems that other systems and first stages use: `trained:<system>` in an entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from resrank.io.yaml import ConfigError
from resrank.model.trained_models import used_models
from resrank.suite.library import pick
from resrank.suite.schema import System


def with_used(
    systems: Mapping[str, System], names: Sequence[str], above: tuple[str, ...] = ()
) -> dict[str, System]:
    """Return the named systems and those that they use."""
    named = {name: pick(systems, name, "system") for name in names}
    for name, spec in list(named.items()):
        named |= used_by(systems, name, used_models(spec.options), above)
    return named


def used_by(
    systems: Mapping[str, System], owner: str, needed: Sequence[str], above: tuple[str, ...] = ()
) -> dict[str, System]:
    """Return the trained systems that `owner` uses, and those that these use.

    above: the systems that use the owner. ConfigError if a system uses itself or is not trained.
    """
    used: dict[str, System] = {}
    for name in needed:
        if name in (*above, owner):
            raise ConfigError(f"system {name!r} uses itself: 'trained:{name}'")
        if pick(systems, name, "system").training is None:
            raise ConfigError(
                f"{owner!r} names 'trained:{name}', but system {name!r} has no 'training'"
            )
        used |= with_used(systems, [name], (*above, owner))
    return used
