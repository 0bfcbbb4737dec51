"""A run's rejected answers, and the end of a run that has too many of them.

A rejected answer leaves its window in the first stage's order, so a run of rejected answers would
score like the first stage and hide that the model never ranked anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

REJECTED = "rejected_answers"  # a key of `about` in a run's manifest
EXAMPLES = 3
LONGEST_EXAMPLE = 160  # characters
ADVICE = (
    "Every recorded answer is kept, and a rerun does not repeat it. If the model reasons before it "
    "answers, set `chat_options: {enable_thinking: false}` under `llm`. If answers are cut off, "
    "raise `max_new_tokens`. To accept such answers, raise `max_rejected`."
)


class TooManyRejected(ValueError):
    """A run has more rejected answers than its system's options allow."""


class RejectedAnswer(NamedTuple):
    """An example: the query, the reason, and the answer's text, shortened."""

    query_id: str
    reason: str
    text: str


class RejectedAnswers:
    """The number of a run's rejected answers, and the first few of them.

    writer: who wrote them, for messages. limit: the largest share of rejected answers, from 0 to 1;
    None: no limit. answers: number of answers that the whole run has, from all its shards. A single
    rejected answer is allowed in a run of any size, unless the limit is 0.
    """

    def __init__(self, writer: str, limit: float | None, answers: int) -> None:
        self.writer = writer
        self.limit = limit
        self.answers = answers
        self.count = 0
        self.examples: list[RejectedAnswer] = []

    @property
    def allowed(self) -> float:
        """Return how many answers may be rejected."""
        if self.limit is None:
            return math.inf
        return math.floor(self.limit * self.answers + 1e-9) or (1 if self.limit else 0)

    def add(self, query_id: str, reason: str, text: str) -> None:
        """Count a rejected answer. TooManyRejected as soon as the run is sure to have too many."""
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(RejectedAnswer(query_id, reason, _shortened(text)))
        self.check()

    def add_shards(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Add the entries of a run's shards. TooManyRejected if they have too many together."""
        self.count += sum(record["count"] for record in records)
        examples = [RejectedAnswer(**item) for record in records for item in record["examples"]]
        self.examples = [*self.examples, *examples][:EXAMPLES]
        self.check()

    def check(self) -> None:
        """Raise TooManyRejected, with examples, if more answers are rejected than allowed."""
        if self.count <= self.allowed:
            return
        lines = [f"  query {e.query_id!r}: {e.reason}: {e.text}" for e in self.examples]
        raise TooManyRejected(
            f"{self.writer}: {self.count} of {self.answers} answers are rejected, and "
            f"`max_rejected: {self.limit}` allows {self.allowed}. Examples:\n"
            + "\n".join(lines)
            + f"\n{ADVICE}"
        )

    @property
    def record(self) -> dict[str, Any]:
        """Return the manifest's entry: count, limit and examples; empty without rejected answers.

        The entry is `REJECTED: {...}`.
        """
        if not self.count:
            return {}
        examples = [example._asdict() for example in self.examples]
        return {REJECTED: {"count": self.count, "limit": self.limit, "examples": examples}}


def _shortened(text: str) -> str:
    """Return the repr of a text's start, and its length if more follows."""
    if len(text) <= LONGEST_EXAMPLE:
        return repr(text)
    return f"{text[:LONGEST_EXAMPLE]!r}... ({len(text):,} characters)"
