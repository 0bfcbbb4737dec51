"""The HTTP client beneath `openai`'s: limits in time and memory, and nothing sent unasked.

`openai` retries what this client raises as `httpx2.RequestError` and the replies whose status asks
for it, after the wait that Retry-After names. It waits for two minutes at most, so this client does
the longer waits.
"""

from __future__ import annotations

import time
from typing import Any

import anyio
import httpx2

from baselines.llm.backends.completion import UNREADABLE, read_completion
from baselines.llm.backends.key_and_pace import Pace, read_key
from baselines.llm.backends.proxy_and_certificates import connection_options
from baselines.llm.backends.refusals import refusal_of
from baselines.llm.options import HttpOptions
from resrank.collections.retry_after import retry_after

MAX_BYTES = 4_000_000  # of a reply; a longer one is no ranking
KEEP_OPEN = 60.0  # seconds that an idle connection stays open
CLIENT_WAIT = 120.0  # seconds of a Retry-After that `openai` waits for; above, it gives up
LONGEST_WAIT = 300.0  # seconds of a Retry-After that are waited for; above, the run stops
RETRIED = (408, 409, 425, 429)  # besides 5xx; `openai` leaves out 425
RECEIVED = {b"location", b"retry-after", b"retry-after-ms", b"x-should-retry"}
RETRY_COUNT = "x-stainless-retry-count"  # a header of `openai`'s: how often it has tried before
TRIES = "tries"  # the extension of a request that counts its tries


Headers = list[tuple[bytes, bytes]]


class BoundedClient(httpx2.AsyncClient):
    """Sends one request per turn and reads at most `MAX_BYTES` within `timeout_s` seconds.

    A request that has been sent is never cancelled: its answer may be paid for. A reply of status
    2xx carries its `Answer` as `extensions["answer"]`.
    """

    def __init__(self, options: HttpOptions) -> None:
        super().__init__(
            follow_redirects=False,  # the user has named one address, and no other
            timeout=options.timeout_s,
            limits=httpx2.Limits(
                max_connections=options.in_flight,
                max_keepalive_connections=options.in_flight,
                keepalive_expiry=KEEP_OPEN,
            ),
            **connection_options(options.url),
        )
        self.tries = options.tries
        self.seconds = options.timeout_s
        self.pace = Pace(options.requests_per_minute)
        self.key = read_key(options) if options.key_variable else None

    def without_key(self, text: str) -> str:
        """Return a text without the key: some endpoints repeat the key that they refuse."""
        return text.replace(self.key, "***") if self.key else text

    async def send(self, request: httpx2.Request, **more: Any) -> httpx2.Response:
        """Send a request in its turn and return the whole reply."""
        await self.pace.wait()
        tries = request.extensions[TRIES] = int(request.headers[RETRY_COUNT]) + 1
        request.headers = _headers(request, self.key)
        start = time.monotonic()
        with anyio.CancelScope(shield=True):
            try:
                with anyio.fail_after(self.seconds):
                    reply = await super().send(request, **more | {"stream": True})
                    text = self.without_key(await _text(reply))
            except TimeoutError as error:
                raise httpx2.ReadTimeout(
                    f"no whole reply within {self.seconds:g} s", request=request
                ) from error
            except (httpx2.InvalidURL, UnicodeError) as error:
                raise httpx2.RemoteProtocolError(f"malformed headers: {error}") from error
        extensions = {}
        if reply.is_success:
            try:
                extensions["answer"] = read_completion(text, time.monotonic() - start)
            except UNREADABLE as error:
                raise httpx2.DecodingError(
                    f"a reply that is no completion ({error!r}): {text[:200]!r}", request=request
                ) from error
        headers = [pair for pair in reply.headers.raw if pair[0].lower() in RECEIVED]
        if refusal_of(reply.status_code, text) is not None:
            headers = [*headers, (b"x-should-retry", b"false")]
        elif tries < self.tries:
            headers = await _retried(reply, headers)
        return httpx2.Response(
            reply.status_code, headers=headers, text=text, request=request, extensions=extensions
        )


def _headers(request: httpx2.Request, key: str | None) -> httpx2.Headers:
    """Return the headers to send.

    None is taken from the request: `openai` adds those that OPENAI_* variables hold for other
    hosts, and a description of this machine.
    """
    headers = {
        "Host": request.url.netloc.decode("ascii"),
        "User-Agent": "resrank",
        "Accept": "application/json",
        "Accept-Encoding": "identity",  # an encoded reply could unpack to any size
        "Content-Type": "application/json",
        "Content-Length": str(len(request.content)),
    }
    return httpx2.Headers(headers | ({"Authorization": f"Bearer {key}"} if key else {}))


async def _retried(reply: httpx2.Response, headers: Headers) -> Headers:
    """Return headers with which `openai` retries as this project wants. Wait if it would not.

    An interrupt ends the wait.
    """
    refused = reply.headers.get("x-should-retry") == "false"
    if refused or (reply.status_code not in RETRIED and reply.status_code < 500):
        return headers
    if CLIENT_WAIT < (seconds := retry_after(reply.headers)) <= LONGEST_WAIT:
        await anyio.sleep(seconds)
        headers = [(b"retry-after-ms", b"1")]
    if reply.status_code == 425:
        headers = [*headers, (b"x-should-retry", b"true")]
    return headers


async def _text(reply: httpx2.Response) -> str:
    """Return the reply's text, at most `MAX_BYTES` of it. The connection is given back."""
    data = bytearray()
    try:
        encoding = reply.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            raise httpx2.DecodingError(f"the reply is encoded as {encoding[:50]!r}, unasked")
        async for chunk in reply.aiter_raw():
            data += chunk
            if len(data) > MAX_BYTES:
                break
    finally:
        await reply.aclose()
    return data[:MAX_BYTES].decode("utf-8", "replace")
