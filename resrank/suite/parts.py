"""The trained systems that other systems and first stages use: `trained:<system>` in an entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from resrank.io.yaml import ConfigError
from resrank.model.trained_models import parts
from resrank.suite.library import pick
from resrank.suite.schema import System


def with_parts(
    systems: Mapping[str, System], names: Sequence[str], above: tuple[str, ...] = ()
) -> dict[str, System]:
    """Return the named systems and those that they use."""
    named = {name: pick(systems, name, "system") for name in names}
    for name, spec in list(named.items()):
        named |= parts_of(systems, name, parts(spec.options), above)
    return named


def parts_of(
    systems: Mapping[str, System], owner: str, needed: Sequence[str], above: tuple[str, ...] = ()
) -> dict[str, System]:
    """Return the trained systems that `owner` uses, and those that these use.

    above: the systems that use the owner. ConfigError if a system uses itself or is not trained.
    """
    used: dict[str, System] = {}
    for part in needed:
        if part in (*above, owner):
            raise ConfigError(f"system {part!r} uses itself: 'trained:{part}'")
        if pick(systems, part, "system").training is None:
            raise ConfigError(
                f"{owner!r} names 'trained:{part}', but system {part!r} has no 'training'"
            )
        used |= with_parts(systems, [part], (*above, owner))
    return used
