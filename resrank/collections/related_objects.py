"""The task `related` of docstrings: find the objects that an object's "See Also" names.

A passage is an object's docstring with its "See Also" cut out. A query is the summary of an object
that has such a section. The objects that the section names are relevant. Objects near them in the
graph of such links are partly relevant, where three grades are needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from resrank.collections.see_also import Objects, links
from resrank.collections.see_also_graph import components, graded, split_by_component
from resrank.io.collection_content import CollectionContent
from resrank.records import Passage, Query


def related_objects(
    packages: Iterable[str], max_words: int
) -> tuple[CollectionContent, dict[str, Any]]:
    """Return the collection, and facts about it for the manifest.

    Raises ValueError if a package is not installed.
    """
    objects = Objects()
    for package in packages:
        objects.add(package, max_words)
    relevant = links(objects)
    splits = split_by_component(relevant)
    queries = [
        Query(f"q:{name}", objects.docs[name].summary, splits[name], excluded=name)
        for name in relevant
    ]
    content = CollectionContent(
        queries,
        (Passage(name, text) for name, text in objects.texts(max_words)),
        {f"q:{name}": dict.fromkeys(named, 1) for name, named in relevant.items()},
        graded=graded(relevant),
    )
    return content, {"components": len(set(components(relevant).values()))}
