"""What every request to an endpoint goes by: the key that it carries and the pace that is kept."""

from __future__ import annotations

import os
import threading
import time

import requests
from requests.auth import AuthBase

from baselines.llm.options import HttpOptions


class EndpointError(ValueError):
    """The endpoint did not give a usable answer; says what it gave."""


class Bearer(AuthBase):
    """The key as a header; an object, so that no `.netrc` takes its place."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the header on a request."""
        request.headers["Authorization"] = f"Bearer {self.key}"
        return request


def read_key(options: HttpOptions) -> str:
    """The key from the environment. ValueError, which never shows it, if it is none."""
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
    """At most so many starts a minute, evenly spaced."""

    def __init__(self, per_minute: float | None) -> None:
        self.gap = 60.0 / per_minute if per_minute else 0.0
        self.lock = threading.Lock()
        self.next = 0.0

    def wait(self, stopped: threading.Event) -> None:
        """Until it is this caller's turn. EndpointError if it is stopped before."""
        with self.lock:
            now = time.monotonic()
            mine = max(now, self.next)
            self.next = mine + self.gap
        if stopped.wait(mine - now):
            raise EndpointError("stopped before it was asked")
