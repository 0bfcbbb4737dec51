"""Named phases of a ranking's work, marked in the code that does it.

The code marks where a phase begins, whether or not anything listens. Without a listener, entering
a phase costs one look-up.

encode: an encoder embeds passages or queries.
prefill: a model reads its ranking input (a prompt, a list or a pair), as text or embeddings.
decode: a model generates tokens after the first token's logits.
score: logits, states, embeddings or answers become scores and an order.
Unmarked work is overhead: tokenising, building prompts, look-ups in a store, waiting for an
endpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import local
from typing import Literal, Protocol

PhaseName = Literal["encode", "prefill", "decode", "score"]


class Listener(Protocol):
    """Receives the begin and end of phases; phases nest, and the innermost one counts."""

    def begin(self, phase: PhaseName) -> None:
        """Note that a phase begins."""
        ...

    def end(self) -> None:
        """Note that the phase that began last ends."""
        ...


class _Thread(local):
    """The listener of a thread.

    Worker threads have no listener: the thread that waits for them marks their batches once. A
    context variable would slow down every call to numpy.
    """

    listener: Listener | None = None


_thread = _Thread()


class _MarkedBlock:
    """A block that notifies a listener. It is a class because a generator is slower."""

    __slots__ = ("listener", "name")

    def __init__(self, listener: Listener, name: PhaseName) -> None:
        self.listener = listener
        self.name = name

    def __enter__(self) -> None:
        self.listener.begin(self.name)

    def __exit__(self, *_: object) -> None:
        self.listener.end()


_UNMARKED = nullcontext()


def phase(name: PhaseName) -> AbstractContextManager[None]:
    """Mark a block as work of this phase."""
    listener = _thread.listener
    return _UNMARKED if listener is None else _MarkedBlock(listener, name)


def turn(name: PhaseName) -> None:
    """Mark the rest of the innermost block as another phase, such as decode after prefill."""
    listener = _thread.listener
    if listener is not None:
        listener.end()
        listener.begin(name)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Notify `listener` of the phases that this thread marks in the block."""
    before, _thread.listener = _thread.listener, listener
    try:
        yield
    finally:
        _thread.listener = before
