"""One try to download a file, from the byte at which the last try ended."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import requests
from tqdm import tqdm
from urllib3.exceptions import HTTPError, ReadTimeoutError

from resrank.collections.remote_file import RemoteFile
from resrank.collections.retry_after import retry_after
from resrank.io.text import DataError

TIMEOUT = (15.0, 60.0)  # seconds to connect, and without a byte
CHUNK = 1 << 16
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}


class Interrupted(Exception):
    """A failure after which another try may succeed.

    wait: seconds that the server asks to wait. reached: whether a server answered.
    """

    def __init__(self, reason: str, wait: float = 0.0, reached: bool = True) -> None:
        super().__init__(reason)
        self.wait = wait
        self.reached = reached


@dataclass(frozen=True)
class Download:
    """A file that is copied from `address`, an URL or a path, to `partial`."""

    file: RemoteFile
    address: str
    partial: Path

    @property
    def size(self) -> int:
        """The bytes that are here."""
        return self.partial.stat().st_size if self.partial.is_file() else 0

    def proceed(self) -> None:
        """Append the bytes that are missing.

        Raises Interrupted if another try may succeed, else DataError.
        """
        if self.size > self.file.bytes:
            self.partial.unlink()
        if self.size == self.file.bytes:
            return
        if urlsplit(self.address).scheme in ("http", "https"):
            self._from_network()
        else:
            self._from_folder(Path(self.address))
        if self.size < self.file.bytes:
            raise Interrupted(f"it ended after {self.size:,} of {self.file.bytes:,} bytes")

    def _from_folder(self, source: Path) -> None:
        if not source.is_file():
            raise DataError("no such file in the mirror")
        if source.stat().st_size != self.file.bytes:
            raise DataError(f"it has {source.stat().st_size:,} bytes, not {self.file.bytes:,}")
        shutil.copyfile(source, self.partial)

    def _from_network(self) -> None:
        have = self.size
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        try:
            with requests.get(self.address, headers=headers, stream=True, timeout=TIMEOUT) as reply:
                start = self._start(reply, have)
                with self.partial.open("ab" if start else "wb", buffering=0) as out:
                    # As it is sent: a body that a server calls gzip is the file itself.
                    self.write(reply.raw.stream(CHUNK, decode_content=False), out, start)
        except (requests.RequestException, HTTPError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise Interrupted(reason, reached=not _no_answer(error)) from error

    def _start(self, reply: requests.Response, have: int) -> int:
        """Return the byte at which a reply begins: `have` or 0. Raises on any other reply."""
        status = reply.status_code
        if status in TRANSIENT:
            raise Interrupted(f"status {status}", retry_after(reply.headers))
        if status == 416:
            self.partial.unlink(missing_ok=True)
            raise Interrupted("the server does not know the part that is missing")
        if status not in (200, 206):
            raise DataError(f"status {status}")
        part = reply.headers.get("Content-Range", "")
        continued = status == 206 and part.startswith(f"bytes {have}-")
        if status == 206 and not continued:
            self.partial.unlink(missing_ok=True)
            raise Interrupted(f"the server sent another part than the one requested ({part!r})")
        start = have if continued else 0
        declared = reply.headers.get("Content-Length")
        if declared is not None and start + int(declared) != self.file.bytes:
            total = start + int(declared)
            raise DataError(f"the server has {total:,} bytes, not {self.file.bytes:,}")
        return start

    def write(self, chunks: Iterable[bytes], out: BinaryIO, start: int) -> None:
        """Write a body, never more than the file's size."""
        size, total = start, self.file.bytes
        bar = tqdm(total=total, initial=start, desc=self.file.name, unit="B", unit_scale=True)
        with bar:
            for chunk in chunks:
                size += len(chunk)
                if size > total:
                    raise DataError(f"the server sent more than {total:,} bytes")
                out.write(chunk)
                bar.update(len(chunk))


def _no_answer(error: Exception) -> bool:
    """Return whether nobody answered; a wrong certificate is an answer."""
    nobody = (requests.ConnectionError, requests.Timeout, ReadTimeoutError)
    return isinstance(error, nobody) and not isinstance(error, requests.exceptions.SSLError)
