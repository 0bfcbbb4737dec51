"""The task `description` of docstrings: find an object's docstring by its summary.

Known-item search as in CodeSearchNet (Husain et al., 2019), which pairs a function with the first
paragraph of its documentation. Here the paragraph must find the rest of the same docstring:

- A passage is a docstring without its summary, its signature and its "See Also", cut to a number of
  words. Objects with the same passage share it.
- A query is a summary. The passages of the objects with that summary are relevant.
- Left out are objects with fewer than 12 words behind the summary. Left out too are summaries of
  fewer than 4 words, those of more than 5 passages, and those with a passage that more than 5
  summaries share, such as "See the documentation of NumPy".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from resrank.collections.documented_objects import names_by_docstring, shortest
from resrank.collections.known_item_splits import split_by_name
from resrank.collections.numpydoc import parse
from resrank.collections.see_also import MIN_WORDS, cut
from resrank.io.collection_content import CollectionContent
from resrank.records import Passage, Query

MIN_BODY_WORDS = 12
MOST_SHARING = 5
"""The most passages of one summary, and the most summaries of one passage, of a query."""


class DescribedObjects:
    """Objects with enough text behind their summary.

    names: summary -> passage text -> the public names of the objects that have both. summaries:
    passage text -> how many summaries have it. short: how many docstrings had too few words.
    """

    def __init__(self) -> None:
        self.names: dict[str, dict[str, list[str]]] = defaultdict(dict)
        self.summaries: Counter[str] = Counter()
        self.short = 0

    def add(self, docstrings: Mapping[str, Iterable[str]], max_words: int) -> None:
        """Add objects. docstrings: raw docstring -> public names."""
        for raw, names in docstrings.items():
            doc = parse(raw)
            if doc is None or len(doc.body.split()) < MIN_BODY_WORDS:
                self.short += 1
                continue
            text, texts = cut(doc.body, max_words), self.names[doc.summary]
            self.summaries[text] += text not in texts
            texts.setdefault(text, []).extend(names)

    def passages(self) -> dict[str, str]:
        """Return passage text -> its id, the shortest name of an object that has it."""
        names: dict[str, list[str]] = defaultdict(list)
        for texts in self.names.values():
            for text, aliases in texts.items():
                names[text] += aliases
        return {text: shortest(aliases) for text, aliases in names.items()}

    def why_left_out(self, summary: str) -> str | None:
        """Return why a summary is no query; None if it is one."""
        if len(summary.split()) < MIN_WORDS:
            return "short summaries"
        if len(self.names[summary]) > MOST_SHARING:
            return "summaries of too many passages"
        if any(self.summaries[text] > MOST_SHARING for text in self.names[summary]):
            return "summaries with a passage of too many summaries"
        return None


def known_items(
    packages: Iterable[str], max_words: int
) -> tuple[CollectionContent, dict[str, Any]]:
    """Return the collection, and facts about it for the manifest.

    Raises ValueError if a package is not installed.
    """
    objects = DescribedObjects()
    for package in packages:
        objects.add(names_by_docstring(package), max_words)
    reasons = {summary: objects.why_left_out(summary) for summary in objects.names}
    left_out = Counter(reason for reason in reasons.values() if reason)
    kept = [summary for summary, reason in reasons.items() if reason is None]
    facts = {"left_out": {"short docstrings": objects.short, **left_out}}
    return _content(objects, kept), facts


def _content(objects: DescribedObjects, summaries: Iterable[str]) -> CollectionContent:
    """Return passages, queries and judgments. A query has the shortest name of its objects."""
    ids = objects.passages()
    text_of: dict[str, str] = {}
    names: dict[str, list[str]] = {}
    relevant: dict[str, list[str]] = {}
    for summary in summaries:
        texts = objects.names[summary]
        aliases = [name for same_text in texts.values() for name in same_text]
        query_id = f"q:{shortest(aliases)}"
        text_of[query_id], names[query_id] = summary, aliases
        relevant[query_id] = [ids[text] for text in texts]
    splits = split_by_name(relevant, names)
    return CollectionContent(
        [Query(query_id, text, splits[query_id]) for query_id, text in text_of.items()],
        (Passage(passage_id, text) for text, passage_id in ids.items()),
        {query_id: dict.fromkeys(passages, 1) for query_id, passages in relevant.items()},
    )
