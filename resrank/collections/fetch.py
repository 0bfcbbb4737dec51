"""Files from the network, or a mirror of it, that are whole and right or not there at all.

A file is stored under its checksum, so that suites share it and no address can change what it is.
Two settings, both from the environment: `RESRANK_DATA`, the folder of downloads (`~/.cache/resrank`
by default), and `RESRANK_MIRROR`, a folder or an address under which files lie as `wget -x` leaves
them, `<host>/<path>`; nothing else is asked for a file then.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import requests
from filelock import FileLock
from tqdm import tqdm
from urllib3.exceptions import HTTPError, ReadTimeoutError

from resrank.collections.remote_file import RemoteFile
from resrank.collections.retry_after import retry_after
from resrank.io.data_folder import data_folder
from resrank.io.text import DataError

TRIES = 6
FIRST_WAIT = 1.0  # seconds, doubled after each failure
LONGEST_WAIT = 120.0
TIMEOUT = (15.0, 60.0)  # seconds to connect, and without a byte
CHUNK = 1 << 16
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}


class FetchError(DataError):
    """A file that cannot be had, or is not what it should be; says where to put it by hand."""


class Unreachable(FetchError):
    """A file whose server no network reached, in any of the tries."""


class _Interrupted(Exception):
    """A failure after which the rest is worth asking for."""

    def __init__(self, said: str, wait: float = 0.0, reached: bool = True) -> None:
        super().__init__(said)
        self.wait = wait
        self.reached = reached


def place_of(file: RemoteFile) -> Path:
    """Where a file lies once it is there."""
    return data_folder() / "files" / file.checksum.replace(":", "-") / file.name


def is_here(file: RemoteFile) -> bool:
    """Whether a file has been fetched, by its size; its checksum is checked when it is used."""
    place = place_of(file)
    return place.is_file() and place.stat().st_size == file.bytes


def in_mirror(file: RemoteFile) -> bool:
    """Whether a file lies in a mirror that is a folder of this machine."""
    address = address_of(file)
    return not urlsplit(address).scheme.startswith("http") and Path(address).is_file()


def fetch(file: RemoteFile) -> Path:
    """The local copy of a file, fetched if it is not there; checked by size and checksum.

    A download that was interrupted goes on where it stopped, also after a kill; two processes that
    want one file make one download. Raises FetchError.
    """
    place = place_of(file)
    with _room_for(file, place):
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_name(place.name + ".lock")):
            if is_here(file) and _checksum(place, file) == file.checksum:
                return place
            partial = place.with_name(place.name + ".partial")
            _complete(file, partial)
            partial.replace(place)
    return place


def local_copy(file: Path | RemoteFile) -> Path:
    """Return a file on this machine, fetched if it is remote and not here yet."""
    return file if isinstance(file, Path) else fetch(file)


def address_of(file: RemoteFile) -> str:
    """The address that a file is asked from, or the path in a mirror's folder."""
    mirror = os.environ.get("RESRANK_MIRROR")
    if not mirror:
        return file.url
    parts = urlsplit(file.url)
    return f"{mirror.rstrip('/')}/{parts.netloc}{parts.path}"


def _complete(file: RemoteFile, partial: Path) -> None:
    """Bring `partial` to the whole file, over as many tries as bring it further, and some more."""
    address, wrong, failures, said, reached = address_of(file), 0, 0, "", True
    while failures < TRIES:
        before = _size(partial)
        try:
            _append(file, address, partial)
        except _Interrupted as error:
            said, reached = str(error), error.reached
            failures = 1 if _size(partial) > before else failures + 1
            if failures < TRIES:
                time.sleep(min(LONGEST_WAIT, max(error.wait, FIRST_WAIT * 2 ** (failures - 1))))
            continue
        found = _checksum(partial, file)
        if found == file.checksum:
            return
        partial.unlink()
        wrong += 1
        said, reached = f"its checksum is {found}, not {file.checksum}", True
        if wrong > 1:  # a resumed part may have been of another version; a whole one is not
            break
    if not reached:
        raise Unreachable(str(_error(file, address, said)))
    raise _error(file, address, said)


def _append(file: RemoteFile, address: str, partial: Path) -> None:
    """Add what is missing of the file."""
    have = _size(partial)
    if have > file.bytes:
        partial.unlink()
        have = 0
    if have == file.bytes:
        return
    if urlsplit(address).scheme in ("http", "https"):
        _from_network(file, address, partial, have)
    else:
        _from_folder(file, Path(address), partial)
    size = partial.stat().st_size
    if size < file.bytes:
        raise _Interrupted(f"it ended after {size:,} of {file.bytes:,} bytes")


def _from_folder(file: RemoteFile, source: Path, partial: Path) -> None:
    if not source.is_file():
        raise _error(file, str(source), "no such file in the mirror")
    if source.stat().st_size != file.bytes:
        found = f"it has {source.stat().st_size:,} bytes, not {file.bytes:,}"
        raise _error(file, str(source), found)
    shutil.copyfile(source, partial)


def _from_network(file: RemoteFile, address: str, partial: Path, have: int) -> None:
    asked = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with requests.get(address, headers=asked, stream=True, timeout=TIMEOUT) as reply:
            start = _start(reply, have, file, address, partial)
            with partial.open("ab" if start else "wb", buffering=0) as out:
                # As it is sent: a body that a server calls gzip is the file itself.
                body = reply.raw.stream(CHUNK, decode_content=False)
                _write(body, out, file, address, start)
    except (requests.RequestException, HTTPError) as error:
        said = f"{type(error).__name__}: {error}"
        raise _Interrupted(said, reached=not _no_network(error)) from error


def _no_network(error: Exception) -> bool:
    """Whether nobody answered, which says nothing of the file; a wrong certificate is an answer."""
    nobody = (requests.ConnectionError, requests.Timeout, ReadTimeoutError)
    return isinstance(error, nobody) and not isinstance(error, requests.exceptions.SSLError)


def _start(
    reply: requests.Response, have: int, file: RemoteFile, address: str, partial: Path
) -> int:
    """The byte at which a reply begins. Raises unless it is the file's rest, or the whole file."""
    status = reply.status_code
    if status in TRANSIENT:
        raise _Interrupted(f"status {status}", retry_after(reply))
    if status == 416:
        partial.unlink(missing_ok=True)
        raise _Interrupted("the server does not know the part that is missing")
    if status not in (200, 206):
        raise _error(file, address, f"status {status}")
    said = reply.headers.get("Content-Range", "")
    resumed = status == 206 and said.startswith(f"bytes {have}-")
    if status == 206 and not resumed:
        partial.unlink(missing_ok=True)
        raise _Interrupted(f"the server sent another part than was asked for ({said!r})")
    start = have if resumed else 0
    declared = reply.headers.get("Content-Length")
    if declared is not None and start + int(declared) != file.bytes:
        total = start + int(declared)
        raise _error(file, address, f"the server has {total:,} bytes, not {file.bytes:,}")
    return start


def _write(
    chunks: Iterable[bytes], out: object, file: RemoteFile, address: str, start: int
) -> None:
    """Write a body, of which never more than the file's size is taken."""
    size = start
    with tqdm(total=file.bytes, initial=start, desc=file.name, unit="B", unit_scale=True) as bar:
        for chunk in chunks:
            size += len(chunk)
            if size > file.bytes:
                raise _error(file, address, f"the server sent more than {file.bytes:,} bytes")
            out.write(chunk)  # type: ignore[attr-defined]
            bar.update(len(chunk))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _checksum(path: Path, file: RemoteFile) -> str:
    """A file's checksum by the algorithm that the expected one names."""
    algorithm = file.checksum.partition(":")[0]
    with path.open("rb") as content:
        return f"{algorithm}:{hashlib.file_digest(content, algorithm).hexdigest()}"


def _error(file: RemoteFile, address: str, said: str) -> FetchError:
    return FetchError(
        f"cannot fetch {address}: {said}. Without a network: put the file at {place_of(file)}, or "
        "set RESRANK_MIRROR to a folder or an address that has it as <host>/<path>; a suite goes "
        "on without a collection that its `optional` names"
    )


@contextmanager
def _room_for(file: RemoteFile, place: Path) -> Iterator[None]:
    """Say what is lacking where a file cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        raise FetchError(
            f"cannot write {place}: {error.strerror}; {file.bytes:,} bytes are needed there, or in "
            "another folder named by RESRANK_DATA"
        ) from error
