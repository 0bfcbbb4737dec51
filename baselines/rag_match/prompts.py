"""The prompts: a pair to judge, a query to write about, and the questions to teachers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from baselines.llm.interface import Message, Prompt
from baselines.llm.word_limit import count_words, first_words
from baselines.rag_match.options import JudgeOptions
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


class PairPrompt(NamedTuple):
    """A pair as the model reads it, and whether its passage was cut."""

    prompt: Prompt
    cut: bool


class CountsTokens(Protocol):
    """A language model that counts a prompt's tokens and has a limit on them."""

    @property
    def positions(self) -> int:
        """Return the most tokens of prompt and answer together."""
        ...

    def count(self, prompt: Prompt) -> int:
        """Return the number of a prompt's tokens."""
        ...


def document_prompt(instruction: str, query: str) -> Prompt:
    """Return stage I's prompt, which the query's document answers."""
    return _user(f"{instruction}\nQuery: {query}\n")


def pair_prompt(instruction: str, query: str, passage: str, words: int) -> Prompt:
    """Return the prompt of a pair, with the passage cut to `words` words."""
    return _user(f"{instruction}\nQuery: {query}\nPassage: {first_words(passage, words)}\n")


def fitted_pair_prompt(
    model: CountsTokens, options: JudgeOptions, query: str, passage: str, room: int
) -> PairPrompt:
    """Return a pair's prompt that leaves room for `room` tokens after it.

    The passage is cut to `options.words` words, then further until the prompt fits. Raises
    ValueError if the prompt does not fit even with one word of the passage.
    """
    length = count_words(passage)
    words = min(options.words, length)
    prompt = pair_prompt(options.instruction, query, passage, words)
    while model.count(prompt) + room > model.positions:
        if words <= 1:
            raise ValueError(
                f"the prompt of query {query[:80]!r} with one word of its passage has "
                f"{model.count(prompt)} tokens, which leaves no room for {room} more in the "
                f"model's {model.positions}; shorten the query or `max_new_tokens`"
            )
        words = max(1, words * 3 // 4)
        prompt = pair_prompt(options.instruction, query, passage, words)
    return PairPrompt(prompt, words < length)


def writer_prompt(query: str, evidence: Sequence[str], words: int) -> Prompt:
    """Return the prompt that asks for a document from evidence."""
    lines = "".join(f"Evidence: {text}\n" for text in evidence)
    return _user(f"{WRITER.format(words=words)}{lines}Query: {query}\n")


def teacher_prompt(query: str, document: str, passage: str) -> Prompt:
    """Return the prompt that asks for a trace."""
    return _user(f"{TEACHER}Background: {document}\nQuery: {query}\nPassage: {passage}\n")


def _user(content: str) -> Prompt:
    return (Message("user", content.lstrip("\n")),)
