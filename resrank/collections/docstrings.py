"""The embedded default collection: docstrings of the installed scientific packages.

Real text and real relevance with no download. A passage is one documented object's text with its
"See Also" section cut out; a query is the summary line of an object that has such a section; the
objects named there are relevant, and those near them in the graph of such links partly so where
three grades are asked for. A demonstration of the pipeline, never a standard benchmark: it depends
on the packages' versions, which the manifest records.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

import networkx as nx
import numpy as np
from tqdm import tqdm

from resrank.collections.kinds import DocstringsCollection
from resrank.collections.numpydoc import Docstring, parse
from resrank.collections.objects import documented_objects
from resrank.collections.sampling import sample
from resrank.io.collection import write_collection
from resrank.io.hashing import in_hash_order
from resrank.records import Passage, Qrels, Query, Split

MIN_WORDS = 4  # a shorter text or query ("Alias of x.") says nothing that could be searched for
LARGE = 0.05  # a component with more of the queries than this is too large to test on


class Objects:
    """Documented objects under one canonical name each, and every other name they go by."""

    def __init__(self) -> None:
        self.docs: dict[str, Docstring] = {}
        self.canonical: dict[str, str] = {}
        self.by_last: dict[tuple[str, str], set[str]] = defaultdict(set)

    def add(self, package: str, max_words: int) -> None:
        """Read a package. Objects of one text are one object: its shortest public name stands."""
        names: dict[str, list[str]] = defaultdict(list)
        parsed: dict[str, Docstring] = {}
        cached = cache(parse)  # most objects go by several names
        for name, raw in documented_objects(package):
            doc = cached(raw)
            if doc is not None and len(doc.text.split()) >= MIN_WORDS:
                key = cut(doc.text, max_words)
                names[key].append(name)
                parsed.setdefault(key, doc)
        for key, aliases in names.items():
            best = min(aliases, key=lambda name: (name.count("."), len(name), name))
            self.docs[best] = parsed[key]
            for alias in aliases:
                self.canonical[alias] = best
                self.by_last[package, alias.rpartition(".")[2]].add(best)

    def lookup(self, written: str, owner: str) -> str | None:
        """The object that a name written in `owner`'s docstring means; None if it is unclear."""
        parts = owner.split(".")
        for depth in range(len(parts) - 1, -1, -1):
            found = self.canonical.get(".".join([*parts[:depth], written]))
            if found:
                return found
        same_last = self.by_last.get((parts[0], written.rpartition(".")[2]), set())
        matches = {n for n in same_last if f".{n}".endswith(f".{written}")}
        return matches.pop() if len(matches) == 1 else None


def collect(spec: DocstringsCollection, out: Path) -> None:
    """Build the collection from the packages installed here and write it under `out`."""
    objects = Objects()
    for package in tqdm(spec.packages, desc="reading docstrings", unit="package"):
        objects.add(package, spec.max_words)
    relevant = links(objects)
    splits = split_by_component(relevant)
    queries = [
        Query(f"q:{name}", objects.docs[name].summary, splits[name], excluded=name)
        for name in relevant
    ]
    write_collection(
        out,
        sample(queries, spec.test_sample, spec.train_sample),
        (Passage(name, cut(doc.text, spec.max_words)) for name, doc in objects.docs.items()),
        {f"q:{name}": dict.fromkeys(found, 1) for name, found in relevant.items()},
        config=spec.model_dump(mode="json"),
        graded=graded(relevant),
        inputs={name: _release(name) for name in spec.packages},
        source="docstrings of installed packages (see inputs for their versions)",
        licence="BSD-3-Clause (PSF-style for matplotlib), as the packages they are read from",
        test_sample=spec.test_sample,
        train_sample=spec.train_sample,
        components=len(set(components(relevant).values())),
    )


def cut(text: str, max_words: int) -> str:
    """The first `max_words` words."""
    return " ".join(text.split()[:max_words])


def links(objects: Objects) -> dict[str, list[str]]:
    """Object -> the objects of its own package that its "See Also" names, if there are any.

    Links between packages are dropped: they are few, and would join half of all queries into one
    component, which no split could divide.
    """
    relevant: dict[str, list[str]] = {}
    for name in sorted(objects.docs):
        if len(objects.docs[name].summary.split()) < MIN_WORDS:
            continue
        named = {objects.lookup(w, name) for w in objects.docs[name].see_also}
        found = sorted(f for f in named if f and f != name and package_of(f) == package_of(name))
        if found:
            relevant[name] = found
    return relevant


def package_of(name: str) -> str:
    """The top-level package of a dotted name."""
    return name.partition(".")[0]


def components(relevant: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Object -> the smallest name in its connected component of the See Also graph."""
    graph: nx.Graph[str] = nx.Graph((a, b) for a, found in relevant.items() for b in found)
    return {name: min(part) for part in nx.connected_components(graph) for name in part}


def graded(relevant: Mapping[str, Iterable[str]]) -> Qrels:
    """Three grades by distance in the See Also graph: 2 named by the query's object, 1 near those.

    Near: it names the query's object without being named back, or is two links away, in whichever
    direction. Any other object has grade 0. The metrics' qrels hold the named ones alone.
    """
    graph: nx.Graph[str] = nx.Graph((a, b) for a, found in relevant.items() for b in found)
    grades: dict[str, dict[str, int]] = {}
    for name, found in relevant.items():
        near = nx.single_source_shortest_path_length(graph, name, cutoff=2)
        grades[f"q:{name}"] = {other: 1 for other in near if other != name}
        grades[f"q:{name}"] |= dict.fromkeys(found, 2)
    return grades


def split_by_component(relevant: Mapping[str, Iterable[str]]) -> dict[str, Split]:
    """Whole components go to train (70%), dev (10%) or test (20%), in shares of each package's
    queries and in the order of a hash of their name; one of more than 5% of the queries always
    goes to train.

    So no test query's relevant passage, nor its own object, is a query or a positive in training,
    and a split does not consist of whichever package's large components fell into it.
    """
    part_of = components(relevant)
    size = Counter(part_of[name] for name in relevant)
    large = LARGE * len(relevant)
    split_of = {part: Split.TRAIN for part, queries in size.items() if queries > large}
    small = in_hash_order(size.keys() - split_of.keys(), str)
    for package in sorted({package_of(part) for part in small}):
        own = [part for part in small if package_of(part) == package]
        ends = np.cumsum([size[part] for part in own])
        middles = (ends - [size[part] / 2 for part in own]) / ends[-1]
        split_of |= {part: _split(middle) for part, middle in zip(own, middles, strict=True)}
    return {name: split_of[part_of[name]] for name in relevant}


def _split(share: float) -> Split:
    return Split.TRAIN if share < 0.7 else Split.DEV if share < 0.8 else Split.TEST


def _release(package: str) -> str:
    distribution = packages_distributions().get(package, [package])[0]
    return f"{distribution} {version(distribution)}"
