"""Any OpenAI-compatible endpoint, with many requests in flight."""

from __future__ import annotations

import json
import threading
import time
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from queue import SimpleQueue
from typing import Any

import anyio
import httpx2
from anyio.from_thread import start_blocking_portal
from openai import APIConnectionError, APIStatusError, AsyncOpenAI

from baselines.llm.backends.bounded_client import TRIES, BoundedClient
from baselines.llm.backends.key_and_pace import EndpointError
from baselines.llm.backends.refusals import Refusal, advice_on, refusal_of
from baselines.llm.interface import (
    TOO_LONG,
    Answer,
    Keep,
    Prompt,
    drop,
    encodable,
    sampling_seed,
    without_system,
)
from baselines.llm.options import HttpOptions
from resrank.options import short_repr

TEMPLATE_ARGUMENTS = "chat_template_kwargs"  # a field beyond OpenAI's protocol
LONGEST_QUOTE = 1000  # characters of a message that the endpoint decides on
LONGEST_REFUSAL = 300  # characters
MOVED = "the endpoint refuses a system turn: its text opens the first user turn instead"
RERUN = "answers so far are in the transcript, and a rerun asks only for the rest"


class HttpModel:
    """Chat completions (or completions, for a prompt of role `text`) over HTTP.

    `openai`'s client repeats a request after a timeout, a lost connection, a reply that is no
    completion, or a status that asks for it (with its Retry-After), with growing waits. A request
    that still fails stops the run, whose transcript keeps every answer so far.
    """

    def __init__(self, options: HttpOptions) -> None:
        self.options = options
        self.moves_system = False  # whether a system turn's text opens the first user turn
        self.http = BoundedClient(options)
        self.client = AsyncOpenAI(
            base_url=options.url,
            api_key="unused",  # BoundedClient sends the key that `key_variable` names, or none
            max_retries=options.tries - 1,
            timeout=options.timeout_s,
            http_client=self.http,
        )
        # One event loop in a separate thread, so that connections outlive a call.
        loop = ExitStack()
        self.portal = loop.enter_context(start_blocking_portal())
        loop.callback(self.portal.call, self.http.aclose)
        weakref.finalize(self, loop.close)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Address, and every field of a request except the prompt and the answer's length."""
        seed = {"seed": self.options.seed} if self._sends_seed else {}
        return {"url": self.options.url, **self.fields, **seed}

    @property
    def fields(self) -> dict[str, Any]:
        """Fields of every request; the endpoint's defaults apply to all others."""
        o = self.options
        chat = {TEMPLATE_ARGUMENTS: o.chat_options} if o.chat_options else {}
        sampling = {"temperature": o.temperature, "top_p": 1.0}
        sent = {name: value for name, value in sampling.items() if name not in o.leave_out}
        return {"model": o.model, **sent, **chat, **o.more}

    @property
    def _sends_seed(self) -> bool:
        return self.options.temperature > 0 and "seed" not in self.options.leave_out

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int, keep: Keep = drop
    ) -> Iterator[tuple[int, Answer]]:
        """Yield answers as they come. EndpointError if a prompt gets none.

        Whatever ends this, such as an interrupt, sends no further request. It waits until the
        requests in flight are answered, at most `timeout_s`, and gives their answers to `keep`.
        """
        batch = _PromptBatch(prompts, max_new_tokens, keep)
        run = self.portal.start_task_soon(self._ask_all, batch)
        try:
            while (item := batch.arrived.get()) is not None:
                yield item
        finally:
            run.cancel()
            batch.ended.wait()
        if batch.error is not None:
            raise batch.error

    def _request(self, prompt: Prompt, max_new_tokens: int) -> tuple[str, bytes]:
        """Return a request's path and body."""
        body: dict[str, Any] = {**self.fields, self.options.length_field: max_new_tokens}
        if self._sends_seed:
            body["seed"] = sampling_seed(prompt, self.options.seed)
        if self.moves_system and prompt[0].role == "system":
            prompt = without_system(prompt)
        if prompt[0].role == "text":
            path, body["prompt"] = "/completions", prompt[0].content
            body.pop(TEMPLATE_ARGUMENTS, None)  # no template is used
        else:
            path = "/chat/completions"
            body["messages"] = [message._asdict() for message in prompt]
        return path, json.dumps(body, allow_nan=False).encode()

    async def _ask_all(self, batch: _PromptBatch) -> None:
        """Send a batch's requests, `in_flight` at a time, until all are answered or one fails."""
        try:
            async with anyio.create_task_group() as group:

                async def work() -> None:
                    try:
                        for place, prompt in batch.waiting:
                            answer = await self._ask(prompt, batch.max_new_tokens)
                            with anyio.CancelScope(shield=True):
                                await anyio.to_thread.run_sync(batch.keep, place, answer)
                            batch.arrived.put((place, answer))
                    except Exception as error:
                        batch.error = batch.error or error
                        group.cancel_scope.cancel()

                for _ in range(self.options.in_flight):
                    group.start_soon(work)
        finally:
            batch.arrived.put(None)
            batch.ended.set()

    async def _ask(self, prompt: Prompt, max_new_tokens: int) -> Answer:
        """Return one prompt's answer; the refusal, with `TOO_LONG`, if it exceeds the context.

        If the endpoint refuses a system turn, its text opens the first user turn from then on.
        EndpointError if the client gives up.
        """
        moves_system = self.moves_system
        path, body = self._request(prompt, max_new_tokens)
        start = time.monotonic()
        try:
            reply = await self.client.post(path, cast_to=httpx2.Response, content=body)
        except APIStatusError as error:
            refusal = refusal_of(error.status_code, error.response.text)
            if refusal == Refusal.TOO_LONG:
                words = encodable(self.http.without_key(error.response.text)[:LONGEST_REFUSAL])
                return Answer(words, 0, 0, time.monotonic() - start, TOO_LONG)
            if refusal == Refusal.SYSTEM_TURN and prompt[0].role == "system" and not moves_system:
                self.moves_system = True
                warnings.warn(MOVED, stacklevel=1)
                return await self._ask(prompt, max_new_tokens)
            raise EndpointError(self._failure(error, _status(error.response))) from error
        except APIConnectionError as error:
            cause = error.__cause__ or error
            what = f"{type(cause).__name__}: {cause}"
            raise EndpointError(self._failure(error, what)) from error
        answer = reply.extensions["answer"]
        assert isinstance(answer, Answer)
        return answer

    def _failure(self, error: APIStatusError | APIConnectionError, what: str) -> str:
        """Return the message for a request that the client has given up."""
        tries = error.request.extensions[TRIES]
        if tries > 1:
            what = f"no answer after {tries} tries; the last one gave {what}"
        return self.http.without_key(f"{self.options.url}: {what[:LONGEST_QUOTE]}; {RERUN}")


class _PromptBatch:
    """Prompts of one call of `answers`, and what has come of them so far."""

    def __init__(self, prompts: Sequence[Prompt], max_new_tokens: int, keep: Keep) -> None:
        self.waiting = iter(enumerate(prompts))
        self.max_new_tokens = max_new_tokens
        self.keep = keep
        self.arrived: SimpleQueue[tuple[int, Answer] | None] = SimpleQueue()  # None ends it
        self.ended = threading.Event()
        self.error: Exception | None = None


def _status(reply: httpx2.Response) -> str:
    """Return a description of a reply that refuses a request."""
    status = f"status {reply.status_code}"
    if address := reply.headers.get("Location"):
        return f"{status}: it is at {short_repr(address)} now; name that address"
    wait = reply.headers.get("Retry-After")
    asks = f" (Retry-After: {short_repr(wait)})" if wait else ""
    advice = advice_on(reply.status_code, reply.text)
    return f"{status}: {reply.text[:LONGEST_REFUSAL]!r}{asks}{advice}"
