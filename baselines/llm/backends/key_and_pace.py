"""The key for an endpoint, the pace of its requests, and the error that it raises."""

from __future__ import annotations

import os
import time

import anyio

from baselines.llm.options import HttpOptions


class EndpointError(ValueError):
    """The endpoint gave no usable answer; the message quotes what it gave."""


def read_key(options: HttpOptions) -> str:
    """Return the key from the environment.

    ValueError if it is missing or malformed; the message never holds the key.
    """
    name = options.key_variable or ""
    key = os.environ.get(name, "").strip()
    if not key:
        raise ValueError(
            f"the environment has no {name}, which `key_variable` names for {options.url}"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError(f"the key in {name} holds white space or control characters")
    return key


class Pace:
    """A limit on the requests per minute, which are evenly spaced."""

    def __init__(self, per_minute: float | None) -> None:
        self.gap = 60.0 / per_minute if per_minute else 0.0
        self.next = 0.0

    async def wait(self) -> None:
        """Wait for the caller's turn. All callers run in one event loop."""
        now = time.monotonic()
        turn = max(now, self.next)
        self.next = turn + self.gap
        await anyio.sleep(turn - now)
