"""A server that answers every request with given bytes, then closes the connection."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class RawServer:
    """One connection at a time, until the process ends; `reply` is what a request is answered with."""

    def __init__(self) -> None:
        self.reply = b""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/v1"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self.socket.accept()
            with connection, suppress(OSError):
                _read_request(connection)
                connection.sendall(self.reply)


def _read_request(connection: socket.socket) -> None:
    """To its end: to close with something unread would be a reset."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line.partition(b":") for line in head.split(b"\r\n")]
    length = next(int(v) for name, _, v in lines if name.lower() == b"content-length")
    while len(body) < length:
        body += _more(connection)


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("closed within a request")
    return data
