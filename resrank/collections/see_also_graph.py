"""The graph of "See Also" links: its components, splits along them, and grades by distance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import networkx as nx
import numpy as np

from resrank.collections.see_also import package_of
from resrank.io.hashing import in_hash_order
from resrank.records import Qrels, Split

LARGE = 0.05  # a component with more of the queries than this is too large to test on


def components(relevant: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return object -> the smallest name in its connected component of the graph."""
    return {n: min(part) for part in nx.connected_components(_graph(relevant)) for n in part}


def graded(relevant: Mapping[str, Iterable[str]]) -> Qrels:
    """Return three grades by distance: 2 for objects that the query's object names, 1 near those.

    Near: it names the query's object without being named back, or is two links away, in whichever
    direction. Any other object has grade 0. The metrics' qrels hold the named ones alone.
    """
    graph = _graph(relevant)
    grades: dict[str, dict[str, int]] = {}
    for name, linked in relevant.items():
        near = nx.single_source_shortest_path_length(graph, name, cutoff=2)
        grades[f"q:{name}"] = {other: 1 for other in near if other != name}
        grades[f"q:{name}"] |= dict.fromkeys(linked, 2)
    return grades


def split_by_component(relevant: Mapping[str, Iterable[str]]) -> dict[str, Split]:
    """Return object -> split: 70% of each package's queries for train, 10% dev, 20% test.

    Whole components go to a split, in the order of a hash of their name. One with more than 5% of
    the queries always goes to train. So no test query's relevant passage, nor its own object, is a
    query or a positive in training. Shares are per package: a split does not consist of whichever
    package's large components fell into it.
    """
    part_of = components(relevant)
    size = Counter(part_of[name] for name in relevant)
    large = LARGE * len(relevant)
    split_of = {part: Split.TRAIN for part, queries in size.items() if queries > large}
    small = in_hash_order(size.keys() - split_of.keys(), str)
    for package in sorted({package_of(part) for part in small}):
        members = [part for part in small if package_of(part) == package]
        ends = np.cumsum([size[part] for part in members])
        middles = (ends - [size[part] / 2 for part in members]) / ends[-1]
        split_of |= {part: _split(middle) for part, middle in zip(members, middles, strict=True)}
    return {name: split_of[part_of[name]] for name in relevant}


def _graph(relevant: Mapping[str, Iterable[str]]) -> nx.Graph[str]:
    return nx.Graph((a, b) for a, linked in relevant.items() for b in linked)


def _split(share: float) -> Split:
    return Split.TRAIN if share < 0.7 else Split.DEV if share < 0.8 else Split.TEST
