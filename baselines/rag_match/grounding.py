"""The first step of a trace by rules: the query's intent, answer type, scope and constraints."""

from __future__ import annotations

import re
from collections.abc import Sequence

from baselines.rag_match.terms import terms, words
from baselines.rag_match.trace import Grounding

MOST_WORDS = 3
"""Most words per field. A short trace is quick to learn and to write."""

CONSTRAINT = re.compile(
    r"\b(?:not|no|without|only|except|between|from|at (?:least|most)|\d+)\b\s*\w*"
)
ANSWER_TYPES = {
    "how": "procedure",
    "why": "reason",
    "who": "person",
    "where": "place",
    "when": "time",
    "what": "definition",
    "which": "choice",
    "is": "yes or no",
    "are": "yes or no",
    "can": "yes or no",
    "does": "yes or no",
    "do": "yes or no",
}
"""First word of a query -> type of its answer."""


def grounding(query: str, document: str) -> Grounding:
    """Derive a query's grounding from its words and from those that only its document has."""
    first_word = re.findall(r"\w+", query.lower())[:1]
    constraints = [" ".join(match.split()) for match in CONSTRAINT.findall(query.lower())]
    document_words = [word for word in words(document) if not terms(word) <= terms(query)]
    return Grounding(
        intent=_first(words(query), "anything"),
        answer_type=ANSWER_TYPES.get("".join(first_word), "description"),
        scope=_first(document_words, "any"),
        constraints=_first(constraints, "none"),
    )


def _first(texts: Sequence[str], default: str) -> str:
    return " ".join(texts[:MOST_WORDS]) or default
