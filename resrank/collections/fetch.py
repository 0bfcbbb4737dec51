"""Fetch remote files: a file is whole and right, or it is not there."""

from __future__ import annotations

import errno
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from resrank.collections.download import Download, Interrupted
from resrank.collections.file_locations import address_of, is_here, place_of
from resrank.collections.remote_file import RemoteFile
from resrank.io.text import DataError

TRIES = 6
FIRST_WAIT = 1.0  # seconds, doubled after each failure
LONGEST_WAIT = 120.0


class FetchError(DataError):
    """A file that cannot be had, or has the wrong content; says where to put it by hand."""


class Unreachable(FetchError):
    """A file whose server no network reached, in any of the tries."""


def fetch(file: RemoteFile) -> Path:
    """Return the local copy of a file, fetched if it is missing, checked by size and checksum.

    An interrupted download is continued, also after a kill. Two processes that want one file make
    one download. Raises FetchError.
    """
    place = place_of(file)
    with _naming_full_disk(file, place):
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


def _complete(file: RemoteFile, partial: Path) -> None:
    """Download until `partial` is the whole file.

    Tries that bring it further are not limited. `TRIES` in a row may fail, and one whole download
    may have a wrong checksum: a continued part may have been of another version.
    """
    download = Download(file, address_of(file), partial)
    wrong, failures, reason, reached = 0, 0, "", True
    while failures < TRIES:
        before = download.size
        try:
            download.proceed()
        except Interrupted as error:
            reason, reached = str(error), error.reached
            failures = 1 if download.size > before else failures + 1
            if failures < TRIES:
                time.sleep(min(LONGEST_WAIT, max(error.wait, FIRST_WAIT * 2 ** (failures - 1))))
            continue
        except DataError as error:
            raise FetchError(_message(file, str(error))) from error
        checksum = _checksum(partial, file)
        if checksum == file.checksum:
            return
        partial.unlink()
        wrong += 1
        reason, reached = f"its checksum is {checksum}, not {file.checksum}", True
        if wrong > 1:
            break
    raise (FetchError if reached else Unreachable)(_message(file, reason))


def _checksum(path: Path, file: RemoteFile) -> str:
    """Return a file's checksum by the algorithm that the expected one names."""
    algorithm = file.checksum.partition(":")[0]
    with path.open("rb") as content:
        return f"{algorithm}:{hashlib.file_digest(content, algorithm).hexdigest()}"


def _message(file: RemoteFile, reason: str) -> str:
    return (
        f"cannot fetch {address_of(file)}: {reason}. Without a network: put the file at "
        f"{place_of(file)}, or set RESRANK_MIRROR to a folder or an address that has it as "
        "<host>/<path>; a suite goes on without a collection that its `optional` names"
    )


@contextmanager
def _naming_full_disk(file: RemoteFile, place: Path) -> Iterator[None]:
    """Raise FetchError, with the bytes that are needed, where a file cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        raise FetchError(
            f"cannot write {place}: {error.strerror}; {file.bytes:,} bytes are needed there, or in "
            "another folder named by RESRANK_DATA"
        ) from error
