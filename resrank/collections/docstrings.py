"""The kind `docstrings`, the default collection: docstrings of installed scientific packages.

Real text and real relevance with no download. It is a demonstration of the pipeline, never a
benchmark: it depends on the packages' versions, which the manifest records, and its queries and
passages share words by construction.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator
from tqdm import tqdm

from resrank.collections.base import CollectionKind
from resrank.collections.options import Grade

RELATED: dict[str, Any] = {"max_words": 100, "grades_from": (1, 1), "complete": True}
"""The defaults of `task: related` that differ from those of `task: description`."""
PURPOSE = {
    "description": "a demonstration on real text, not a benchmark: a query is the summary of a "
    "docstring and its passage is the rest, so the two share an author, an object and many words",
    "related": "a demonstration on real text, not a benchmark: relevant is what authors named "
    "under 'See Also', which rewards association and forgets some objects",
}


class DocstringsCollection(CollectionKind):
    """The default collection: docstrings of the installed scientific packages, with two tasks.

    `description` is known-item search: the query is an object's summary, and the passage to be
    retrieved is the rest of that object's docstring. `related` is the search for the objects that
    an object's "See Also" names. Only `related` has three grades.

    Both are demonstrations on real text, not benchmarks. A summary and the rest of its docstring
    are by the same author about the same object: the rest often repeats the object's name, its
    parameters and the summary's own terms. Scores are those of one version of the packages.
    """

    passage_text: ClassVar[str] = "a part of a docstring"
    preparation: ClassVar[str] = "made on this machine, and counted then"

    kind: Literal["docstrings"]
    task: Literal["description", "related"] = Field(
        "description",
        description="description: find a docstring by its summary; related: find the objects that "
        'a docstring\'s "See Also" names.',
    )
    packages: list[str] = Field(
        ["numpy", "scipy", "pandas", "matplotlib", "sklearn", "torch", "networkx"],
        description="Importable packages whose docstrings are read.",
    )
    max_words: int = Field(
        60,
        ge=10,
        description="Length at which a passage is cut, in words; with `task: related` 100 if "
        "unset.",
    )
    source: str = Field(
        "docstrings of installed packages", description="Origin, copied to the manifest."
    )
    licence: str = Field(
        "BSD-3-Clause (PSF-style for matplotlib), as the packages they are read from",
        description="Licence, copied to the manifest.",
    )
    grades_from: tuple[Grade, Grade] | None = Field(
        None,
        description="As for any collection, with `task: related` alone, and [1, 1] there if unset; "
        "objects near the named ones have grade 1.",
    )
    complete: bool = Field(
        False,
        description='Whether an object that no "See Also" connects has the lowest grade; with '
        "`task: related` alone, and true there if unset.",
    )

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_task(cls, value: Any) -> Any:
        """Fill in the defaults of `task: related`."""
        if isinstance(value, Mapping) and value.get("task") == "related":
            return {**RELATED, **value}
        return value

    @model_validator(mode="after")
    def _options_of_task(self) -> DocstringsCollection:
        """Refuse the options of `task: related` with `task: description`."""
        given = [
            text
            for text, present in (
                (f"grades_from: {list(self.grades_from or ())}", self.grades_from is not None),
                ("complete: true", self.complete),
            )
            if present
        ]
        if self.task == "description" and given:
            raise ValueError(
                f"{' and '.join(given)} given with `task: description`, where a passage is of the "
                "described object or not, without grades between; remove it, or say "
                "`task: related`, whose links give three grades"
            )
        return self

    def has_train_split(self) -> bool:
        """Return True: most queries are for training."""
        return True

    def grades_text(self) -> str:
        """Say what the two upper grades are: distances in the graph, not the packages' grades."""
        return "1: near a named object, 2: named" if self.task == "related" else "–"

    def write(self, out: Path) -> None:
        """Build the collection from the packages installed here and write it under `out`.

        Raises ValueError if a package is not installed.
        """
        from resrank.collections.known_items import known_items
        from resrank.collections.related_objects import related_objects

        read = related_objects if self.task == "related" else known_items
        packages = tqdm(self.packages, desc="reading docstrings", unit="package")
        content, facts = read(packages, self.max_words)
        self.write_content(
            out, content, _releases(self.packages), purpose=PURPOSE[self.task], **facts
        )


def _releases(packages: list[str]) -> dict[str, str]:
    """Return package -> its distribution and version. Listing all distributions takes a second."""
    distributions = packages_distributions()
    return {package: _release(distributions.get(package, [])) for package in packages}


def _release(distributions: list[str]) -> str:
    if not distributions:
        return "not of an installed distribution"
    return f"{distributions[0]} {version(distributions[0])}"
