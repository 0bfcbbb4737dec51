"""A local endpoint that speaks the OpenAI protocol, answers from a function, and can misbehave."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Endpoint:
    """The server's record of requests. `fault` maps (prompt, number of the try) to a fault or None."""

    def __init__(
        self, answer: Callable[[str], str], fault: Callable[[str, int], str | None]
    ) -> None:
        self.answer = answer
        self.fault = fault
        self.tries: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.times: list[float] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[dict] = []
        self.active = self.most_active = 0
        self.sent = 0  # bytes of endless replies
        self.delay = 0.0
        self.finish = "stop"
        self.lock = threading.Lock()
        self.url = ""

    def tries_so_far(self) -> Counter[str]:
        """Return the tries per prompt so far."""
        with self.lock:
            return self.tries.copy()


class Handler(BaseHTTPRequestHandler):
    """Answers or fails as the endpoint's functions determine."""

    state: Endpoint
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body.get("prompt") or "\n".join(m["content"] for m in body["messages"])
        with self.state.lock:
            self.state.tries[prompt] += 1
            number = self.state.tries[prompt]
            self.state.times.append(time.monotonic())
            self.state.headers.append(dict(self.headers))
            self.state.bodies.append(body)
            self.state.active += 1
            self.state.most_active = max(self.state.most_active, self.state.active)
        try:
            time.sleep(self.state.delay)
            self.reply(body, prompt, self.state.fault(prompt, number))
        finally:
            with self.state.lock:
                self.state.active -= 1

    def reply(self, body: dict, prompt: str, fault: str | None) -> None:
        if fault == "drop":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        if fault == "hang":
            time.sleep(1.5)
            self.close_connection = True
            return
        if fault == "drip":  # never whole within a second
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            with suppress(ConnectionError):
                for _ in range(40):
                    self.wfile.write(b" ")
                    time.sleep(0.05)
            self.close_connection = True
            return
        if fault in ("deep", "infinite", "negative", "huge", "no counts", "half"):
            self.hostile(fault, prompt)
            return
        if fault == "401":
            authorization = self.headers.get("Authorization", "")
            self.send(401, json.dumps({"error": f"bad {authorization}"}).encode())
            return
        if fault in ("busy for long", "busy for minutes"):
            wait = "600" if fault == "busy for long" else "200"
            self.send(429, b"{}", {"Retry-After": wait})
            return
        if fault == "encoded":
            self.send(200, gzip.compress(b" " * 10_000_000), {"Content-Encoding": "gzip"})
            return
        if fault == "endless":
            self.endless()
            return
        if fault in ("wait a second", "wait until a date"):
            date = formatdate(time.time() + 2, usegmt=True)  # in whole seconds
            self.send(429, b"{}", {"Retry-After": "1" if fault == "wait a second" else date})
            return
        if fault is not None and fault.startswith("refuse "):
            status, _, message = fault.removeprefix("refuse ").partition(" ")
            self.send(int(status), json.dumps({"error": {"message": message}}).encode())
            return
        if fault in ("425", "429", "500", "400"):
            self.send(int(fault), b'{"error": "no"}', {"Retry-After": "0"})
            return
        if fault == "redirect":
            self.send(307, b"", {"Location": "http://elsewhere/v1/chat/completions"})
            return
        if fault == "garbage":
            self.send(200, b"<html>not JSON")
            return
        text = self.state.answer(prompt)
        with self.state.lock:
            self.state.answered[prompt] += 1
        choice = {"text": text} if "prompt" in body else {"message": {"content": text}}
        choice["finish_reason"] = self.state.finish
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(text.split())}
        self.send(200, json.dumps({"choices": [choice], "usage": usage}).encode())

    def endless(self) -> None:
        """Send a reply without an end, at most 100 MB of it, until the client hangs up."""
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        with suppress(ConnectionError):
            for _ in range(100):
                self.wfile.write(b" " * 1_000_000)
                self.state.sent += 1_000_000

    def hostile(self, fault: str, prompt: str) -> None:
        if fault == "deep":
            self.send(200, b"[" * 100_000)
            return
        text = self.state.answer(prompt)
        counts = {"infinite": "Infinity", "negative": "-1", "huge": "1e18", "no counts": "null"}
        data = json.dumps({"choices": [{"message": {"content": text}}]})[:-1].encode()
        data += b', "usage": {"prompt_tokens": %s, "completion_tokens": 1}}' % (
            counts.get(fault, "1").encode()
        )
        if fault == "half":
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return
        self.send(200, data)

    def send(self, status: int, data: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # a killed client reads no more
            self.wfile.write(data)


@contextmanager
def endpoint(
    answer: Callable[[str], str], fault: Callable[[str, int], str | None] = lambda p, n: None
) -> Iterator[Endpoint]:
    state = Endpoint(answer, fault)

    handler = type("Bound", (Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
