"""Splits of known items by name: what shares a name or a passage falls into one split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

import networkx as nx

from resrank.records import Split

TRAIN, DEV = 0.85, 0.05
LARGE = 0.01
"""A group with more of the queries than this is for training: it would be most of a test."""


def split_by_name(
    relevant: Mapping[str, Iterable[str]], names: Mapping[str, Iterable[str]]
) -> dict[str, Split]:
    """Return query -> split: about 85% train, 5% dev, 10% test.

    relevant: query -> passages. names: query -> the public names of its objects. Queries are in one
    group if their objects have a name with the same last part (`Series.sum`, `DataFrame.sum`) or a
    passage in common. Whole groups go to a split, so that no relevant passage of a test query is
    one of a training query. The split follows from a hash of the group's first last part, so that
    other packages and other versions move few queries.
    """
    group_of = _groups(relevant, names)
    size = Counter(group_of.values())
    large = LARGE * len(relevant)
    return {
        query: Split.TRAIN if size[group] > large else _split(_share(group))
        for query, group in group_of.items()
    }


def _groups(
    relevant: Mapping[str, Iterable[str]], names: Mapping[str, Iterable[str]]
) -> dict[str, str]:
    """Return query -> its group, named by the first of the last parts in it."""
    graph: nx.Graph[tuple[str, str]] = nx.Graph()
    for query, passages in relevant.items():
        graph.add_edges_from((("query", query), ("passage", passage)) for passage in passages)
        graph.add_edges_from((("query", query), ("last part", _last(n))) for n in names[query])
    groups: dict[str, str] = {}
    for members in nx.connected_components(graph):
        first = min(text for kind, text in members if kind == "last part")
        groups |= {text: first for kind, text in members if kind == "query"}
    return groups


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _share(text: str) -> float:
    """Return a number from 0 to 1 by the SHA-256 of a text."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6]) / 2**48


def _split(share: float) -> Split:
    return Split.TRAIN if share < TRAIN else Split.DEV if share < TRAIN + DEV else Split.TEST
