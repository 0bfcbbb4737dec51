"""Any OpenAI-compatible endpoint, many requests at a time."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from baselines.llm.model import Answer, HttpOptions
from baselines.llm.prompt import Prompt

LONGEST = 4_000_000  # bytes of a reply; a longer one is no ranking
STATUSES = (408, 409, 425, 429, 500, 502, 503, 504)


class EndpointError(ValueError):
    """The endpoint did not give a usable answer; says what it gave."""


class HttpModel:
    """Chat completions (or completions, for a prompt of role `text`) over HTTP.

    A try that fails with a timeout, a lost connection, a status that says "later" (with its
    Retry-After) or a reply that is no JSON is repeated with growing waits; what still fails then
    stops the run, whose transcript keeps every answer so far.
    """

    def __init__(self, options: HttpOptions) -> None:
        self.options = options
        self.pace = Pace(options.requests_per_minute)
        self.local = threading.local()
        self.key = None
        if options.key_variable:
            self.key = os.environ.get(options.key_variable)
            if not self.key:
                raise ValueError(
                    f"the environment has no {options.key_variable}, which `key_variable` names "
                    f"for the key of {options.url}"
                )

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Address, model and temperature."""
        return {name: getattr(self.options, name) for name in ("url", "model", "temperature")}

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int
    ) -> Iterator[tuple[int, Answer]]:
        """Yield answers as they come. EndpointError names the first prompt that got none."""
        with ThreadPoolExecutor(self.options.in_flight) as pool:
            jobs = {pool.submit(self._ask, p, max_new_tokens): i for i, p in enumerate(prompts)}
            failed: EndpointError | None = None
            for job in as_completed(jobs):
                try:
                    answer = job.result()
                except EndpointError as error:
                    failed = failed or error
                    pool.shutdown(wait=False, cancel_futures=True)
                    continue
                except CancelledError:
                    continue
                yield jobs[job], answer
            if failed is not None:
                raise failed

    def _ask(self, prompt: Prompt, max_new_tokens: int) -> Answer:
        o = self.options
        body: dict[str, Any] = {
            "model": o.model, "temperature": o.temperature, "max_tokens": max_new_tokens,
        }  # fmt: skip
        plain = prompt[0].role == "text"
        if plain:
            body["prompt"] = prompt[0].content
        else:
            body["messages"] = [message._asdict() for message in prompt]
        path = "completions" if plain else "chat/completions"
        said = ""
        for attempt in range(o.tries):
            if attempt:
                time.sleep(min(30.0, 0.25 * 2**attempt))
            self.pace.wait()
            start = time.perf_counter()
            try:
                reply = self._session().post(
                    f"{o.url.rstrip('/')}/{path}", json=body, timeout=o.timeout_s, stream=True
                )
                text = _body(reply)
            except requests.RequestException as error:
                said = f"{type(error).__name__}: {error}"
                continue
            if reply.status_code != 200:
                raise EndpointError(
                    f"{o.url}: status {reply.status_code}: {text[:300]!r}; answers so far are in "
                    "the transcript, and a rerun asks only for the rest"
                )
            try:
                return _read(text, plain, time.perf_counter() - start)
            except (KeyError, IndexError, TypeError, ValueError) as error:
                said = f"a reply that is no completion ({error!r}): {text[:200]!r}"
        raise EndpointError(
            f"{o.url}: no answer after {o.tries} tries; the last one gave {said}; answers so far "
            "are in the transcript, and a rerun asks only for the rest"
        )

    def _session(self) -> requests.Session:
        """A session a thread, which repeats what the endpoint says to repeat."""
        if not hasattr(self.local, "session"):
            session = requests.Session()
            retry = Retry(
                total=self.options.tries, connect=0, read=0, other=0, status_forcelist=STATUSES,
                allowed_methods=None, backoff_factor=0.25, respect_retry_after_header=True,
                raise_on_status=False,
            )  # fmt: skip
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=retry))
            if self.key:
                session.headers["Authorization"] = f"Bearer {self.key}"
            self.local.session = session
        session = self.local.session
        assert isinstance(session, requests.Session)
        return session


class Pace:
    """At most so many starts a minute, evenly spaced."""

    def __init__(self, per_minute: float | None) -> None:
        self.gap = 60.0 / per_minute if per_minute else 0.0
        self.lock = threading.Lock()
        self.next = 0.0

    def wait(self) -> None:
        """Until it is this caller's turn."""
        if not self.gap:
            return
        with self.lock:
            now = time.monotonic()
            mine = max(now, self.next)
            self.next = mine + self.gap
        time.sleep(mine - now)


def _body(reply: requests.Response) -> str:
    """The reply's text, at most `LONGEST` bytes of it."""
    data = bytearray()
    for chunk in reply.iter_content(65536):
        data += chunk
        if len(data) > LONGEST:
            reply.close()
            break
    return data.decode("utf-8", "replace")


def _read(text: str, plain: bool, seconds: float) -> Answer:
    reply = json.loads(text)
    choice = reply["choices"][0]
    content = choice["text"] if plain else choice["message"]["content"]
    if not isinstance(content, str):
        raise ValueError(f"content is {type(content).__name__}")
    usage = reply.get("usage") or {}
    return Answer(
        content, int(usage.get("prompt_tokens", 0)), int(usage.get("completion_tokens", 0)), seconds
    )
