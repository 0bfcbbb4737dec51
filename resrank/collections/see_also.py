"""Documented objects of installed packages, and the links between them: their "See Also"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from resrank.collections.documented_objects import names_by_docstring, shortest
from resrank.collections.numpydoc import Docstring, parse

MIN_WORDS = 4  # a shorter text or query ("Alias of x.") holds nothing to search for


class Objects:
    """Documented objects under one canonical name each, and their other names."""

    def __init__(self) -> None:
        self.docs: dict[str, Docstring] = {}
        self.canonical: dict[str, str] = {}
        self.by_last: dict[tuple[str, str], set[str]] = defaultdict(set)

    def add(self, package: str, max_words: int) -> None:
        """Read a package. Objects of one text are one object, under its shortest public name."""
        names: dict[str, list[str]] = defaultdict(list)
        parsed: dict[str, Docstring] = {}
        for raw, same_docstring in names_by_docstring(package).items():
            doc = parse(raw)
            if doc is not None and len(doc.text.split()) >= MIN_WORDS:
                key = cut(doc.text, max_words)
                names[key] += same_docstring
                parsed.setdefault(key, doc)
        for key, aliases in names.items():
            best = shortest(aliases)
            self.docs[best] = parsed[key]
            for alias in aliases:
                self.canonical[alias] = best
                self.by_last[package, alias.rpartition(".")[2]].add(best)

    def texts(self, max_words: int) -> Iterator[tuple[str, str]]:
        """Yield (name, text cut to `max_words` words) of every object."""
        for name, doc in self.docs.items():
            yield name, cut(doc.text, max_words)

    def lookup(self, written: str, owner: str) -> str | None:
        """Return the object that a name in `owner`'s docstring means; None if it is unclear."""
        parts = owner.split(".")
        for depth in range(len(parts) - 1, -1, -1):
            name = self.canonical.get(".".join([*parts[:depth], written]))
            if name:
                return name
        same_last = self.by_last.get((parts[0], written.rpartition(".")[2]), set())
        matches = {n for n in same_last if f".{n}".endswith(f".{written}")}
        return matches.pop() if len(matches) == 1 else None


def cut(text: str, max_words: int) -> str:
    """Return the first `max_words` words."""
    return " ".join(text.split()[:max_words])


def links(objects: Objects) -> dict[str, list[str]]:
    """Return object -> the objects of its package that its "See Also" names, if there are any.

    Links between packages are dropped: they are few, and would join half of all queries into one
    component, which no split could divide.
    """
    relevant: dict[str, list[str]] = {}
    for name in sorted(objects.docs):
        if len(objects.docs[name].summary.split()) < MIN_WORDS:
            continue
        named = {objects.lookup(w, name) for w in objects.docs[name].see_also}
        linked = sorted(n for n in named if n and n != name and package_of(n) == package_of(name))
        if linked:
            relevant[name] = linked
    return relevant


def package_of(name: str) -> str:
    """Return the top-level package of a dotted name."""
    return name.partition(".")[0]
