"""The interface of a language model: prompts in, answers out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from baselines.llm.reasoning import without_reasoning
from resrank.options import short_repr

MAX_AMOUNT = 10**9  # tokens or seconds of a call: sums over a run's calls are stored in 64 bits


class Message(NamedTuple):
    """One turn. A prompt of role `text` is sent as it is, with no chat template."""

    role: str
    content: str


Prompt = tuple[Message, ...]


def sampling_seed(prompt: Prompt, seed: int) -> int:
    """Return a seed for one prompt, in 31 bits.

    Samples for a prompt depend on no earlier prompt, so a resumed run gives the same samples.
    """
    about = json.dumps([seed, prompt]).encode()
    return int.from_bytes(hashlib.sha256(about).digest()[:4]) >> 1


CUT, TOO_LONG = "length", "too long"


@dataclass(frozen=True)
class Answer:
    """A completion and its cost. ValueError if an amount is negative, infinite or too large.

    finish: why it ended, in OpenAI's words: "stop"; `CUT`, at its longest length; "content_filter";
    `TOO_LONG`, if the endpoint refused the prompt as longer than its context, which the text then
    quotes; "" if unknown.
    """

    text: str
    prompt_tokens: int
    generated_tokens: int
    seconds: float = 0.0
    finish: str = ""

    @property
    def final(self) -> str:
        """Return the text without the reasoning that precedes the answer."""
        return without_reasoning(self.text)

    def __post_init__(self) -> None:
        amounts = {
            "prompt_tokens": self.prompt_tokens,
            "generated_tokens": self.generated_tokens,
            "seconds": self.seconds,
        }
        for name, amount in amounts.items():
            if not 0 <= amount <= MAX_AMOUNT:
                raise ValueError(
                    f"{name} {short_repr(amount)}; from 0 to {MAX_AMOUNT:,} is allowed"
                )


def encodable(text: str) -> str:
    """Return a text that UTF-8 can encode: lone surrogates, as JSON may hold, become '?'."""
    return text.encode("utf-8", "replace").decode("utf-8")


def without_system(prompt: Prompt) -> Prompt:
    """Return the prompt with the system turn's text moved to the start of the first user turn."""
    system, *turns = prompt
    if turns and turns[0].role == "user":
        return (Message("user", f"{system.content}\n{turns[0].content}"), *turns[1:])
    return (Message("user", system.content), *turns)


Keep = Callable[[int, Answer], None]
"""Takes (place of the prompt, its answer)."""


def drop(place: int, answer: Answer) -> None:
    """Keep nothing."""


class LanguageModel(Protocol):
    """Completes prompts, and reports the parameters that its answers depend on."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Model, revision and effective generation parameters; never a key."""
        ...

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int, keep: Keep = drop
    ) -> Iterator[tuple[int, Answer]]:
        """Yield (place of the prompt, its answer) as each is done, in any order.

        keep: called with each answer as it arrives, in any thread, even after the caller has
        stopped iterating.
        """
        ...
