"""Which training queries are used, in which batches, where they come from several collections.

With one collection the draws are those of a plain permutation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from resrank.io.hashing import in_hash_order
from resrank.records import TrainingExample

Examples = Sequence[TrainingExample]


def by_collection(examples: Iterable[TrainingExample]) -> dict[str, list[TrainingExample]]:
    """Return the examples of each collection, in their order; collections sorted by name."""
    parts: dict[str, list[TrainingExample]] = {}
    for example in examples:
        parts.setdefault(example.collection, []).append(example)
    return dict(sorted(parts.items()))


def share(examples: Examples, start: float, end: float) -> list[TrainingExample]:
    """Return each collection's examples between two shares, in the order of sha256(query id)."""
    chosen: list[TrainingExample] = []
    for part in by_collection(examples).values():
        ordered = in_hash_order(part, lambda example: example.id_in_collection)
        chosen += ordered[round(start * len(ordered)) : round(end * len(ordered))]
    return chosen


def choose(examples: Examples, size: int | None, rng: Generator) -> list[TrainingExample]:
    """Return at most `size` examples in a random order; if None, as many as there are.

    Each collection of a mixture gives its weight's share. It repeats its queries if it has fewer,
    each as often as the others, or once more.
    """
    parts = list(by_collection(examples).values())
    if len(parts) < 2:
        return [examples[i] for i in rng.permutation(len(examples))[:size]]
    total = len(examples) if size is None else min(size, len(examples))
    counts = quotas([part[0].weight for part in parts], total)
    chosen = [
        part[i]
        for part, count in zip(parts, counts, strict=True)
        for i in _repeated(len(part), count, rng)
    ]
    return [chosen[i] for i in rng.permutation(len(chosen))]


def quotas(weights: Sequence[float], total: int) -> list[int]:
    """Return how many of `total` queries each weight gives; the numbers add up to `total`."""
    ends = [round(total * end / sum(weights)) for end in accumulate(weights)]
    return [end - start for start, end in pairwise([0, *ends])]


def in_batches(examples: Examples, size: int, rng: Generator) -> list[list[TrainingExample]]:
    """Return the examples in a random order, in batches of `size` queries of one collection.

    A collection's last batch may be smaller. The batches of several collections are shuffled.
    """
    batches: list[list[TrainingExample]] = []
    parts = by_collection(examples)
    for part in parts.values():
        order = rng.permutation(len(part))
        starts = range(0, len(order), size)
        batches += [[part[i] for i in order[start : start + size]] for start in starts]
    return batches if len(parts) < 2 else [batches[i] for i in rng.permutation(len(batches))]


def check_mixture(examples: Examples, kept: Examples) -> None:
    """Raise ValueError if a collection of a mixture has no example among those that are kept."""
    given, left = by_collection(examples), by_collection(kept)
    if len(given) > 1 and left and (idle := [name for name in given if name not in left]):
        raise ValueError(
            f"none of the training queries of {', '.join(idle)} teaches anything: a query needs a "
            "relevant passage, and candidates of different grades or a teacher's ordering of them; "
            "leave the collection out of `trained_on`, or train with a better first stage"
        )


def used_counts(examples: Examples, usable: Examples, chosen: Examples) -> dict[str, Any]:
    """Return how many queries a stage used, of each collection in a mixture, and how many not.

    examples: all training queries. usable: those that teach something. chosen: those of an epoch.
    """
    counts: dict[str, Any] = {
        "queries_used": len(chosen),
        "queries_skipped": len(examples) - len(usable),
    }
    parts = by_collection(chosen)
    if len(by_collection(examples)) > 1:
        counts["queries_used_of"] = {name: len(part) for name, part in parts.items()}
    return counts


def _repeated(size: int, count: int, rng: Generator) -> NDArray[np.int64]:
    """Return `count` places below `size`: whole passes in random orders, and a part of one."""
    passes = -(-count // size)
    return np.concatenate([rng.permutation(size) for _ in range(max(1, passes))])[:count]
