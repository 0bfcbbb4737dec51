"""Named stretches of a ranking's work, marked where it is done.

Whoever does the work says which part of it begins; whether anybody listens, or has a clock, is not
known here. Without a listener a mark costs a look-up.

encode: an encoder reads passages or queries, to embed them.
prefill: a model reads what it ranks by, text or embeddings: a prompt, a list, a pair.
decode: a model writes, after its first token's logits.
score: logits, states, embeddings or answers become scores and an order.
Whatever is not marked (tokenising, building prompts, a store's look-up, waiting for an endpoint)
is overhead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import local
from typing import Literal, Protocol

Phase = Literal["encode", "prefill", "decode", "score"]


class Listener(Protocol):
    """Is told when phases begin and end; they nest, and the innermost counts."""

    def begin(self, phase: Phase) -> None:
        """A phase begins."""
        ...

    def end(self) -> None:
        """The phase that began last ends."""
        ...


class _Thread(local):
    """A thread's listener. A worker has none: a batch a core is marked once, by the thread that
    waits for all of them. No context variable: setting one slows every call of numpy's."""

    listener: Listener | None = None


_thread = _Thread()


class _Heard:
    """A block that a listener is told of; a class, since a generator takes longer."""

    __slots__ = ("listener", "name")

    def __init__(self, listener: Listener, name: Phase) -> None:
        self.listener = listener
        self.name = name

    def __enter__(self) -> None:
        self.listener.begin(self.name)

    def __exit__(self, *_: object) -> None:
        self.listener.end()


_UNHEARD = nullcontext()


def phase(name: Phase) -> AbstractContextManager[None]:
    """The block is this phase's work."""
    listener = _thread.listener
    return _UNHEARD if listener is None else _Heard(listener, name)


def turn(name: Phase) -> None:
    """The rest of the innermost block is another phase's: a prompt is read, its answer follows."""
    listener = _thread.listener
    if listener is not None:
        listener.end()
        listener.begin(name)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """What this thread does in the block is told to `listener`."""
    before, _thread.listener = _thread.listener, listener
    try:
        yield
    finally:
        _thread.listener = before
