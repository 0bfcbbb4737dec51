"""Any OpenAI-compatible endpoint, many requests at a time."""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from baselines.llm.backends.endpoint import Bearer, EndpointError, Pace, read_key
from baselines.llm.interface import Answer, Keep, drop, whole
from baselines.llm.options import HttpOptions
from baselines.llm.prompts.template import Prompt, sampling_seed
from resrank.collections.retry_after import retry_after
from resrank.options import short_repr

LONGEST = 4_000_000  # bytes of a reply; a longer one is no ranking
LATER = (408, 409, 425, 429, 500, 502, 503, 504)
UNREADABLE = (
    ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip
LONGEST_WAIT = 300.0  # seconds that a Retry-After may ask for


class Later(Exception):
    """A try that may be repeated, after `seconds` at least."""

    def __init__(self, said: str, seconds: float = 0.0) -> None:
        super().__init__(said)
        self.seconds = seconds


class Straight(requests.Session):
    """A session that follows no redirect: requests reads all of one's body, however long it is."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None; what is asked is an address that the user has named, and no other."""
        return None


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
        self.auth = Bearer(read_key(options)) if options.key_variable else None
        self.stopped = threading.Event()

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Address, and every field of a request but the prompt and the answer's length."""
        seed = {"seed": self.options.seed} if self.options.temperature > 0 else {}
        return {"url": self.options.url, **self.fields, **seed}

    @property
    def fields(self) -> dict[str, Any]:
        """What is asked for, beside a prompt and a length; the rest is the endpoint's default."""
        o = self.options
        return {"model": o.model, "temperature": o.temperature, "top_p": 1.0, **o.more}

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int, keep: Keep = drop
    ) -> Iterator[tuple[int, Answer]]:
        """Yield answers as they come. EndpointError names the first prompt that got none.

        Whatever ends this, an interrupt say, asks for nothing more, and waits until what is in
        flight has arrived and been given to `keep`: at most `timeout_s`.
        """
        self.stopped.clear()
        pool = ThreadPoolExecutor(self.options.in_flight)

        def job(place: int) -> Answer:
            answer = self._ask(prompts[place], max_new_tokens)
            keep(place, answer)
            return answer

        jobs = {pool.submit(job, place): place for place in range(len(prompts))}
        failed: EndpointError | None = None
        try:
            for done in as_completed(jobs):
                try:
                    answer = done.result()
                except CancelledError:
                    continue
                except EndpointError as error:  # what is in flight still comes, and is kept
                    failed = failed or error
                    self.stopped.set()
                    _cancel(jobs)
                    continue
                yield jobs[done], answer
        finally:
            self.stopped.set()
            _cancel(jobs)
            pool.shutdown(wait=True)
        if failed is not None:
            raise failed

    def _ask(self, prompt: Prompt, max_new_tokens: int) -> Answer:
        plain = prompt[0].role == "text"
        body: dict[str, Any] = {**self.fields, "max_tokens": max_new_tokens}
        if self.options.temperature > 0:
            body["seed"] = sampling_seed(prompt, self.options.seed)
        if plain:
            body["prompt"] = prompt[0].content
        else:
            body["messages"] = [message._asdict() for message in prompt]
        said = ""
        for attempt in range(self.options.tries):
            self.pace.wait(self.stopped)
            try:
                return self._try("completions" if plain else "chat/completions", body)
            except Later as error:
                said = str(error)
                last = attempt + 1 == self.options.tries
                if last or self.stopped.wait(max(min(30.0, 0.25 * 2**attempt), error.seconds)):
                    break
        raise EndpointError(
            f"{self.options.url}: no answer after {attempt + 1} tries; the last one gave "
            f"{said}; answers so far are in the transcript, and a rerun asks only for the rest"
        )

    def _try(self, path: str, body: Mapping[str, Any]) -> Answer:
        """One request. Later if it may be repeated, EndpointError if that would not help."""
        start = time.monotonic()
        try:
            reply = self._session().post(
                f"{self.options.url.rstrip('/')}/{path}",
                json=body,
                timeout=self.options.timeout_s,
                stream=True,
                auth=self.auth,
            )
            text = self._without_key(_text(reply, start + self.options.timeout_s))
        except (requests.RequestException, HTTPError) as error:
            raise Later(self._without_key(f"{type(error).__name__}: {error}")) from error
        if reply.status_code in LATER:
            raise Later(
                f"status {reply.status_code}: {text[:200]!r}", min(LONGEST_WAIT, retry_after(reply))
            )
        if reply.status_code != 200:
            to = reply.headers.get("Location")
            said = f"it is at {short_repr(to)} now; name that" if to else f"{text[:300]!r}"
            raise EndpointError(
                f"{self.options.url}: status {reply.status_code}: {said}; answers so far are in "
                "the transcript, and a rerun asks only for the rest"
            )
        try:
            return _read(text, time.monotonic() - start)
        except UNREADABLE as error:
            raise Later(f"a reply that is no completion ({error!r}): {text[:200]!r}") from error

    def _without_key(self, text: str) -> str:
        """What the endpoint said, to be shown or kept: some repeat the key that they refuse."""
        return text.replace(self.auth.key, "***") if self.auth else text

    def _session(self) -> requests.Session:
        """A session a thread: requests does not say that they may be shared."""
        if not hasattr(self.local, "session"):
            self.local.session = Straight()
        session = self.local.session
        assert isinstance(session, requests.Session)
        return session


def _cancel(jobs: Mapping[Future[Answer], int]) -> None:
    for job in jobs:
        job.cancel()


def _text(reply: requests.Response, deadline: float) -> str:
    """The reply's text, at most `LONGEST` bytes of it, as it arrives.

    Raises requests.Timeout if the deadline passes before it is whole.
    """
    data = bytearray()
    with reply:
        while len(data) <= LONGEST and (chunk := reply.raw.read1(65536, decode_content=True)):
            data += chunk
            if time.monotonic() > deadline and reply.raw.length_remaining != 0:
                raise requests.Timeout("the reply took too long to arrive")
    return data.decode("utf-8", "replace")


def _read(text: str, seconds: float) -> Answer:
    """A completion's answer; one without text, as of a model that was cut off, is empty."""
    reply = json.loads(text)
    choice = reply["choices"][0]
    content = choice["message"]["content"] if "message" in choice else choice["text"]
    if not isinstance(content, str | None):
        raise ValueError(f"content is {type(content).__name__}")
    usage = reply.get("usage") or {}
    counts = [usage.get(f"{name}_tokens") for name in ("prompt", "completion")]
    if None in counts:
        warnings.warn("the endpoint leaves out tokens; they are counted as 0", stacklevel=1)
    read, written = (int(count or 0) for count in counts)
    return Answer(whole(content or ""), read, written, seconds)
