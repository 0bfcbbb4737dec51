"""Named phases of a ranking's work, marked in the code that does it.

The code marks which phase begins. It does not know whether a listener, with or without a clock, is
there. Without a listener a mark costs one look-up.

encode: an encoder reads passages or queries, to embed them.
prefill: a model reads its ranking input, text or embeddings: a prompt, a list, a pair.
decode: a model writes, after its first token's logits.
score: logits, states, embeddings or answers become scores and an order.
Everything without a mark is overhead: tokenising, building prompts, look-ups in a store, waiting
for an endpoint.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import local
from typing import Literal, Protocol

PhaseName = Literal["encode", "prefill", "decode", "score"]


class Listener(Protocol):
    """Gets notified when phases begin and end; they nest, and the innermost counts."""

    def begin(self, phase: PhaseName) -> None:
        """Note that a phase begins."""
        ...

    def end(self) -> None:
        """Note that the phase that began last ends."""
        ...


class _Thread(local):
    """A thread's listener.

    Worker threads have none: the thread that waits for the workers marks their batches once. A
    context variable would slow down every call of numpy's.
    """

    listener: Listener | None = None


_thread = _Thread()


class _MarkedBlock:
    """A block whose listener is notified. It is a class, because a generator is slower."""

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
    """Mark the rest of the innermost block as another phase: after a prompt comes its answer."""
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
