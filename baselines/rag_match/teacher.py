"""Stage II's teachers: who writes the traces that the model learns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from baselines.llm.transcript import Recorded
from baselines.rag_match.pairs import Pair
from baselines.rag_match.prompts import for_teacher
from baselines.rag_match.terms import sentences, terms, words
from baselines.rag_match.trace import LEVELS, Alignment, Grounding, Level, Malformed, Trace, parse

NAMED = 3  # words that a field names at most: a short trace is quick to learn and to write
LIMITS = re.compile(r"\b(?:not|no|without|only|except|between|from|at (?:least|most)|\d+)\b\s*\w*")
ASKED = {
    "how": "procedure", "why": "reason", "who": "person", "where": "place", "when": "time",
    "what": "definition", "which": "choice", "is": "yes or no", "are": "yes or no",
    "can": "yes or no", "does": "yes or no", "do": "yes or no",
}  # fmt: skip


class Asked(NamedTuple):
    """A pair, and the document that was made for its query."""

    pair: Pair
    document: str


class Teaches(Protocol):
    """Writes a trace a pair, or says what is wrong with what it wrote."""

    def __call__(self, asked: Sequence[Asked]) -> Sequence[Trace | Malformed]:
        """A trace a pair."""
        ...


class ByRules:
    """The grade is the pair's own; what leads to it is read off the texts.

    Intent consistency follows the grade, as a person who grades has seen whether the passage does
    what is asked. The others are shares of terms: of the query's in the passage (entity fidelity),
    of the document's for which the query asks (logical completeness), and of the passage's own
    sentences that hold any of them (information density).
    """

    def __call__(self, asked: Sequence[Asked]) -> list[Trace]:
        """A trace a pair."""
        return [self._one(pair, document) for pair, document in asked]

    def _one(self, pair: Pair, document: str) -> Trace:
        wanted, told = terms(pair.query), terms(pair.passage.text)
        known = wanted | terms(document)
        lines = sentences(pair.passage.text)
        dense = sum(bool(wanted & terms(line)) for line in lines) / max(1, len(lines))
        return Trace.model_validate(
            {
                "grounding": grounding(pair.query, document),
                "alignment": Alignment(
                    intent_consistency=LEVELS[pair.grade],
                    entity_fidelity=_level(len(wanted & told) / max(1, len(wanted))),
                    logical_completeness=_level(len(known & told) / max(1, len(known))),
                    information_density=_level(dense),
                ),
                "grade": pair.grade,
            }
        )


class ByModel:
    """A language model that is not told the grade; its answers are recorded."""

    def __init__(self, model: Recorded, max_new_tokens: int) -> None:
        self.model = model
        self.max_new_tokens = max_new_tokens

    def __call__(self, asked: Sequence[Asked]) -> list[Trace | Malformed]:
        """A trace a pair, or why what was answered is none."""
        prompts = [for_teacher(p.query, document, p.passage.text) for p, document in asked]
        found = dict(self.model.answers(prompts, self.max_new_tokens))
        return [parse(found[place].text) for place in range(len(asked))]


def grounding(query: str, document: str) -> Grounding:
    """What a query is after, by rules: its first word, its other words, the document's own."""
    said = words(query)
    first = re.findall(r"\w+", query.lower())[:1]
    limits = [" ".join(match.split()) for match in LIMITS.findall(query.lower())]
    further = [word for word in words(document) if not terms(word) <= terms(query)]
    return Grounding(
        intent=_named(said[:NAMED], "anything"),
        answer_type=ASKED.get("".join(first), "description"),
        scope=_named(further[:NAMED], "any"),
        constraints=_named(limits[:NAMED], "none"),
    )


def _named(found: Sequence[str], otherwise: str) -> str:
    return " ".join(found) or otherwise


def _level(share: float) -> Level:
    return LEVELS[0 if share == 0 else 1 if share < 0.5 else 2]
