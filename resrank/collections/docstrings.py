"""The kind `docstrings`, the default collection: docstrings of installed scientific packages.

Real text and real relevance with no download. A passage is one documented object's text with its
"See Also" section cut out. A query is the summary line of an object that has such a section. The
objects that the section names are relevant, and those near them in the graph of such links are
partly relevant where three grades are needed. It is a demonstration of the pipeline, never a
standard benchmark: it depends on the packages' versions, which the manifest records.
"""

from __future__ import annotations

from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from tqdm import tqdm

from resrank.collections.base import CollectionKind
from resrank.collections.options import Grade
from resrank.io.collection_content import CollectionContent
from resrank.records import Passage, Query


class DocstringsCollection(CollectionKind):
    """The embedded default: docstrings of the installed scientific packages."""

    passage_text: ClassVar[str] = "the first words of a docstring"
    preparation: ClassVar[str] = "made on this machine, and counted then"

    kind: Literal["docstrings"]
    packages: list[str] = Field(
        ["numpy", "scipy", "pandas", "matplotlib", "sklearn", "torch", "networkx"],
        description="Importable packages whose docstrings are read.",
    )
    max_words: int = Field(100, ge=10, description="Length at which a passage is cut, in words.")
    source: str = Field(
        "docstrings of installed packages", description="Origin, copied to the manifest."
    )
    licence: str = Field(
        "BSD-3-Clause (PSF-style for matplotlib), as the packages they are read from",
        description="Licence, copied to the manifest.",
    )
    grades_from: tuple[Grade, Grade] | None = Field(
        (1, 1), description="As for any collection; objects near the named ones have grade 1."
    )
    complete: bool = Field(
        True, description='Whether an object that no "See Also" connects has the lowest grade.'
    )

    def has_train_split(self) -> bool:
        """Return True: most links are for training."""
        return True

    def grades_text(self) -> str:
        """Say what the two upper grades are: distances in the graph, not the packages' grades."""
        return "1: near a named object, 2: named"

    def write(self, out: Path) -> None:
        """Build the collection from the packages installed here and write it under `out`.

        Raises ValueError if a package is not installed.
        """
        from resrank.collections.see_also import Objects, links
        from resrank.collections.see_also_graph import components, graded, split_by_component

        objects = Objects()
        for package in tqdm(self.packages, desc="reading docstrings", unit="package"):
            objects.add(package, self.max_words)
        relevant = links(objects)
        splits = split_by_component(relevant)
        queries = [
            Query(f"q:{name}", objects.docs[name].summary, splits[name], excluded=name)
            for name in relevant
        ]
        self.write_content(
            out,
            CollectionContent(
                queries,
                (Passage(name, text) for name, text in objects.texts(self.max_words)),
                {f"q:{name}": dict.fromkeys(named, 1) for name, named in relevant.items()},
                graded=graded(relevant),
            ),
            {name: _release(name) for name in self.packages},
            components=len(set(components(relevant).values())),
        )


def _release(package: str) -> str:
    distribution = packages_distributions().get(package, [package])[0]
    return f"{distribution} {version(distribution)}"
