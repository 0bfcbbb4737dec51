"""Setwise reranking: a heap sort that asks which passage of a set is the most relevant.

Zhuang et al., SIGIR 2024, arXiv 2310.09497. One forward pass compares a node of the heap with all
its children, by the logits of the passages' letters. Only as much of the heap is sorted as the
first ranks need.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import Field

from baselines.llm.by_letter import ByLetter
from baselines.llm.listwise_options import PromptOptions
from baselines.llm.listwise_prompts import WindowPrompts, expected_prompts
from baselines.llm.options import TransformersOptions
from baselines.llm.prompts.template import LETTERS, template
from resrank.ranking import Listed, Request, ranked
from resrank.records import Ranking, Usage
from resrank.reranker import DeclaredCounts
from resrank.work import QueryShape

if TYPE_CHECKING:
    from baselines.llm.backends.transformers import TransformersModel

Comparisons = Generator[list[int], int, list[int]]
"""Yields a set of indices, receives the position of its best one, returns the ranked indices."""


class SetwiseOptions(PromptOptions):
    """Which model, how it is prompted, and how many ranks are sorted."""

    BY_LETTER = True

    llm: TransformersOptions = Field(description="A causal language model in this process.")
    prompt: str = Field("setwise", description="A prompt by name, or a .yaml file's path.")
    opening: str = Field(" Passage:", description="How the answer begins, before the letter.")
    children: int = Field(
        3, ge=1, le=len(LETTERS) - 1, description="Children of a node: a set has one more."
    )
    top: int = Field(10, ge=1, description="Ranks that are sorted.")


class Setwise(ByLetter):
    """Sorts the first `top` ranks by heap sort; the rest keeps its first-stage order."""

    Options = SetwiseOptions

    def __init__(self, options: SetwiseOptions, model: TransformersModel) -> None:
        self.options = options
        self.model = model
        self.template = template(options.prompt)
        letters = LETTERS[: options.children + 1]
        self.letters = [model.token_after(options.opening, f" {letter}") for letter in letters]

    @classmethod
    def load(cls, options: SetwiseOptions, model_dir: Path | None = None) -> Self:
        """Load the language model."""
        from baselines.llm.backends.transformers import TransformersModel

        return cls(options, TransformersModel(options.llm))

    @staticmethod
    def estimate_usage(options: SetwiseOptions, shape: QueryShape) -> Usage:
        """Return the usage of sorting a list in a fixed random order."""
        places = list(range(shape.candidates))
        random.Random(0).shuffle(places)
        sizes = comparisons(places, options.children, options.top)
        return expected_prompts(options, sizes, shape, options.llm.context)

    def declared_counts(self, candidates: int) -> DeclaredCounts:
        """Return the range of comparisons that a heap sort can take, and no generated token."""
        most = heap_comparisons(candidates, self.options.children, self.options.top)
        return DeclaredCounts(model_calls=most, generated_tokens=0, embedding_slots=0)

    def rerank_many(self, requests: Sequence[Request]) -> list[Ranking]:
        """Rank many queries; their next comparisons share a batch."""
        usages = [Usage() for _ in requests]
        prompts = WindowPrompts(self.template, self.options.words, 1, self.model, requests, usages)
        sorts = [
            heap_top(len(listed), self.options.children, self.options.top) for _, listed in requests
        ]
        first: list[list[int]] = [[] for _ in requests]
        pending: dict[int, list[int]] = {}

        def advance(row: int, best: int | None) -> None:
            try:
                pending[row] = next(sorts[row]) if best is None else sorts[row].send(best)
            except StopIteration as end:
                pending.pop(row, None)
                first[row] = end.value

        for row in range(len(requests)):
            advance(row, None)
        while pending:
            rows = list(pending)
            sets = [[(row, place) for place in pending[row]] for row in rows]
            for row, best in zip(rows, self._best(sets, prompts, usages), strict=True):
                advance(row, best)
        return [
            _ranked(request, places, usage)
            for request, places, usage in zip(requests, first, usages, strict=True)
        ]

    def _best(
        self, sets: Sequence[Sequence[Listed]], prompts: WindowPrompts, usages: Sequence[Usage]
    ) -> list[int]:
        """Return the position of each set's best passage; one forward pass per set, counted."""
        logits = self.letter_logits(sets, prompts(sets), self.options.opening, usages)
        return [
            max(range(len(members)), key=row.__getitem__)
            for row, members in zip(logits, sets, strict=True)
        ]


def comparisons(places: Sequence[int], children: int, top: int) -> list[int]:
    """Return the size of each comparison if the passage of the lowest place always wins."""
    sort, sizes = heap_top(len(places), children, top), []
    try:
        members = next(sort)
        while True:
            sizes.append(len(members))
            best = min(members, key=places.__getitem__)
            members = sort.send(members.index(best))
    except StopIteration:
        return sizes


def heap_top(length: int, children: int, top: int) -> Comparisons:
    """Sort the first `top` places of a list of `length` by comparing sets of `children` + 1."""
    heap = list(range(length))

    def sift(node: int, end: int) -> Generator[list[int], int, None]:
        while children * node + 1 < end:
            below = range(children * node + 1, min(children * (node + 1) + 1, end))
            members = [node, *below]
            best = members[(yield [heap[i] for i in members])]
            if best == node:
                return
            heap[node], heap[best] = heap[best], heap[node]
            node = best

    for node in range((length - 2) // children, -1, -1):
        yield from sift(node, length)
    ordered: list[int] = []
    for end in range(length - 1, -1, -1):
        ordered.append(heap[0])
        if len(ordered) == top:
            break
        heap[0] = heap[end]
        yield from sift(0, end)
    return ordered


def heap_comparisons(length: int, children: int, top: int) -> range:
    """Return how many comparisons `heap_top` may take; each node with a child takes one or more."""
    nodes = max(0, (length - 2) // children + 1)
    levels, node = 0, 0
    while children * node + 1 < length:
        levels, node = levels + 1, children * node + 1
    return range(nodes, (nodes + top) * levels + 1)


def _ranked(request: Request, first: Sequence[int], usage: Usage) -> Ranking:
    """Return the sorted passages, then the others in the first stage's order."""
    query, candidates = request
    scores = [0.0] * len(candidates)
    for rank, place in enumerate(first):
        scores[place] = float(len(first) - rank)
    return ranked(query, candidates, scores, usage)
