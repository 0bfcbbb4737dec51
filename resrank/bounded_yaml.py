"""YAML from outside: what a few lines could blow up, hide or leave endless is refused.

Aliases let a text of ten lines stand for billions of entries, or for a mapping that holds itself;
whoever goes through such a value never ends. A key that stands twice loses its first value in
silence.
"""

from __future__ import annotations

from typing import Any

import yaml

MOST = 100_000  # entries of a file, each counted as often as aliases name it
UNREADABLE = (
    yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError,
    ValueError,
)  # fmt: skip
"""What PyYAML raises: `!!int ""` an IndexError, `!!bool x` a KeyError, 2001-99-99 a ValueError."""


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader with bounds; its errors say line and column."""

    def get_single_node(self) -> yaml.Node | None:
        """The document, checked before any value is made of it."""
        node: yaml.Node | None = super().get_single_node()
        if node is not None:
            self.size(node, {})
        return node

    def size(self, node: yaml.Node, known: dict[int, int]) -> int:
        """Entries at and below a node, aliases followed. ConstructorError at more than `MOST`.

        known: what was counted, by the node's identity; of a node that is being counted, too many:
        met again below itself, it has no end.
        """
        if id(node) not in known:
            known[id(node)] = MOST
            known[id(node)] = 1 + sum(self.size(part, known) for part in _parts(node))
            if isinstance(node, yaml.MappingNode):
                _check_keys(node)
        if known[id(node)] >= MOST:
            raise _error(
                f"{MOST:,} entries or more, aliases followed, or one that holds itself", node
            )
        return known[id(node)]

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A whole number of 64 bits."""
        value = int(super().construct_yaml_int(node))
        if not -(2**63) <= value < 2**63:
            raise _error("a whole number of more than 64 bits", node)
        return value


Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)


def parse(text: str) -> Any:
    """The value of a YAML text. ValueError that says what is wrong, and where."""
    try:
        loader = Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except UNREADABLE as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _check_keys(node: yaml.MappingNode) -> None:
    """A merge (`<<`) may be overridden: only what is written in the mapping itself counts."""
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if (key.tag, key.value) in seen:
                raise _error(f"the key {key.value!r} a second time", key)
            seen.add((key.tag, key.value))


def _error(found: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, f"found {found}", node.start_mark)
