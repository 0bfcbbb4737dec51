"""Drawing of a suite's stages: positions of boxes and arrows for an inline SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import networkx as nx

BOX = (128, 44)  # width, height
STEP = (168, 64)  # distance to the next box of the row, of the column
MARGIN = 8


class Box(NamedTuple):
    """A stage: its name, its number of outputs with a manifest, its upper left corner."""

    name: str
    outputs: int
    x: int
    y: int


class Drawing(NamedTuple):
    """Boxes, the SVG paths of arrows, the size, and the edges that are drawn."""

    boxes: list[Box]
    arrows: list[str]
    width: int
    height: int
    edges: list[tuple[str, str]]


def draw(counts: Mapping[str, int], edges: Iterable[tuple[str, str]]) -> Drawing:
    """Place stages in columns from left to right, each after all stages that it reads from.

    An edge that a longer path replaces is left out (transitive reduction), and so is the edge that
    leads back where stages read from each other: a trained teacher's model is read by a teaching
    job, whose run is read by another model's training.
    """
    graph = nx.DiGraph()
    graph.add_nodes_from(sorted(counts))
    graph.add_edges_from(sorted(edges))
    graph = nx.transitive_reduction(_without_cycles(graph))
    columns = [sorted(column) for column in nx.topological_generations(graph)]
    tallest = max(map(len, columns), default=0)
    boxes = {
        name: Box(name, counts[name], MARGIN + column * STEP[0], _top(row, len(names), tallest))
        for column, names in enumerate(columns)
        for row, name in enumerate(names)
    }
    kept = sorted(graph.edges)
    arrows = [_arrow(boxes[one], boxes[other]) for one, other in kept]
    size = (len(columns) * STEP[0], tallest * STEP[1] + 2 * MARGIN)
    return Drawing(list(boxes.values()), arrows, *size, kept)


def _without_cycles(graph: nx.DiGraph) -> nx.DiGraph:
    """Return the graph without the last edge of each cycle, counted from its first name."""
    graph = graph.copy()
    while not nx.is_directed_acyclic_graph(graph):
        cycle = [edge[0] for edge in nx.find_cycle(graph)]
        first = cycle.index(min(cycle))
        graph.remove_edge(cycle[first - 1], cycle[first])
    return graph


def _top(row: int, rows: int, tallest: int) -> int:
    """Return a box's upper edge, with its column centred on the tallest one."""
    return MARGIN + row * STEP[1] + (tallest - rows) * STEP[1] // 2


def _arrow(one: Box, other: Box) -> str:
    start, end = (one.x + BOX[0], one.y + BOX[1] // 2), (other.x - 6, other.y + BOX[1] // 2)
    middle = end[0] - (STEP[0] - BOX[0]) // 2
    return f"M{start[0]} {start[1]} C{middle} {start[1]} {middle} {end[1]} {end[0]} {end[1]}"
