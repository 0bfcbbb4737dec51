"""The interface of a language model behind a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from baselines.llm.prompts.template import Prompt
from resrank.options import short_repr

MOST = 10**9  # tokens or seconds of a call: sums over a run's calls are stored in 64 bits


@dataclass(frozen=True)
class Answer:
    """A completion and what it took. ValueError if that is no amount."""

    text: str
    prompt_tokens: int
    generated_tokens: int
    seconds: float = 0.0

    def __post_init__(self) -> None:
        for what in ("prompt_tokens", "generated_tokens", "seconds"):
            if not 0 <= getattr(self, what) <= MOST:
                raise ValueError(
                    f"{what} {short_repr(getattr(self, what))}; from 0 to {MOST:,} is allowed"
                )


def whole(text: str) -> str:
    """A text that can be stored and tokenised: half a character, as JSON may hold, becomes '?'."""
    return text.encode("utf-8", "replace").decode("utf-8")


Keep = Callable[[int, Answer], None]
"""Takes (place of the prompt, its answer)."""


def drop(place: int, answer: Answer) -> None:
    """Keep nothing."""


class LanguageModel(Protocol):
    """Completes prompts. Says which parameters its answers depend on, for manifests and keys."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Model, revision and effective generation parameters; never a key."""
        ...

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int, keep: Keep = drop
    ) -> Iterator[tuple[int, Answer]]:
        """Yield (place of the prompt, its answer) as each is done, in any order.

        keep: is given each answer when it arrives, in any thread, also one that is not waited for
        any more.
        """
        ...
