"""What the model is shown: a pair to judge, a query to write about; and what a teacher is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from baselines.llm.prompts.template import Message, Prompt
from baselines.rag_match.trace import BAR, FIELDS, LEVELS

TRACE = f" {BAR} ".join(f"{name.replace('_', ' ')}: ..." for name in FIELDS)
TEACHER = (
    "You grade how well a passage answers a query. First say what the query is after, using the "
    "background: intent, expected answer type, scope, key constraints ('none' if there are none). "
    f"Then compare the passage with that on four dimensions, each one of {', '.join(LEVELS)}. Then "
    "give the grade: 0 not relevant, 1 partly, 2 relevant. Answer in one line of exactly this "
    f"form, without anything before or behind it:\n{TRACE}\n"
)
WRITER = (
    "Write one short document that answers the query, from the evidence alone, in at most {words} "
    "words and without any heading.\n"
)


class Reads(Protocol):
    """A language model that says how long a prompt is, and how much it can read."""

    @property
    def positions(self) -> int:
        """Tokens of prompt and answer together."""
        ...

    def count(self, prompt: Prompt) -> int:
        """Tokens of a prompt."""
        ...


def about_query(instruction: str, query: str) -> Prompt:
    """Stage I's prompt, which the document answers."""
    return _user(f"{instruction}\nQuery: {query}\n")


def to_judge(instruction: str, query: str, passage: str, words: int) -> Prompt:
    """The prompt of a pair, its passage cut to so many words."""
    shown = " ".join(passage.split()[:words])
    return _user(f"{instruction}\nQuery: {query}\nPassage: {shown}\n")


def fitted(
    model: Reads, instruction: str, query: str, passage: str, words: int, answer: int
) -> tuple[Prompt, bool]:
    """A pair's prompt with room for `answer` tokens behind it, and whether the passage was cut.

    Raises ValueError if there is no room even with one word of the passage.
    """
    length = len(passage.split())
    words = min(words, length)
    prompt = to_judge(instruction, query, passage, words)
    while model.count(prompt) + answer > model.positions:
        if words <= 1:
            raise ValueError(
                f"the prompt of query {query[:80]!r} with one word of its passage has "
                f"{model.count(prompt)} tokens, which leaves no room for {answer} more in the "
                f"model's {model.positions}; shorten the query or `max_new_tokens`"
            )
        words = max(1, words * 3 // 4)
        prompt = to_judge(instruction, query, passage, words)
    return prompt, words < length


def for_writer(query: str, evidence: Sequence[str], words: int) -> Prompt:
    """What a language model is asked that makes a document of evidence."""
    shown = "".join(f"Evidence: {text}\n" for text in evidence)
    return _user(f"{WRITER.format(words=words)}{shown}Query: {query}\n")


def for_teacher(query: str, document: str, passage: str) -> Prompt:
    """What a language model is asked that writes traces."""
    return _user(f"{TEACHER}Background: {document}\nQuery: {query}\nPassage: {passage}\n")


def _user(content: str) -> Prompt:
    return (Message("user", content.lstrip("\n")),)
