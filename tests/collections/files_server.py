"""A local HTTP server of files that can misbehave: `fault(path, number)` names how a try fails."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Fault = Callable[[str, int], str | None]


class Files:
    """What is served, what was asked, how it fails, how fast it is."""

    def __init__(self, content: dict[str, bytes], fault: Fault) -> None:
        self.content = content
        self.fault = fault
        self.requests: Counter[str] = Counter()
        self.ranges: list[str | None] = []
        self.sent = 0
        self.ranged = True
        self.encoding = ""
        self.pause = 0.0  # seconds before each 64 kB
        self.url = ""
        self.lock = threading.Lock()


@contextmanager
def serve(content: dict[str, bytes], fault: Fault = lambda p, n: None) -> Iterator[Files]:
    state = Files(content, fault)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            with state.lock:
                state.requests[self.path] += 1
                number = state.requests[self.path]
                state.ranges.append(self.headers.get("Range"))
            what = state.fault(self.path, number)
            data = state.content.get(self.path)
            if data is None or what in ("404", "500", "429"):
                status = 404 if data is None else int(what)
                self.head(status, {"Content-Length": "0", "Retry-After": "0"})
                return
            start = 0
            wanted = self.headers.get("Range")
            if wanted and state.ranged:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            body = data[start:]
            if what == "wrong":
                body = bytes(len(body))
            sizes = {"Content-Length": str(len(body) + (what == "longer"))}
            if state.encoding:
                sizes["Content-Encoding"] = state.encoding
            if wanted and state.ranged:
                sizes["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.head(206 if "Content-Range" in sizes else 200, sizes)
            if what in ("truncated", "reset"):
                body = body[: len(body) // 2]
            with suppress(ConnectionError):
                for place in range(0, len(body), 1 << 16):
                    time.sleep(state.pause)
                    self.wfile.write(body[place : place + (1 << 16)])
                    with state.lock:
                        state.sent += len(body[place : place + (1 << 16)])
            if what == "reset":
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            if what in ("truncated", "reset"):
                self.connection.close()
                self.close_connection = True

        def head(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
