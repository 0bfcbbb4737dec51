"""The places of remote files: where a file lies once it is fetched, and where it is fetched from.

Two environment variables set them. `RESRANK_DATA` is the folder of downloads (`~/.cache/resrank` by
default). `RESRANK_MIRROR` is a folder or an address that has files as `wget -x` leaves them,
`<host>/<path>`; files are then fetched from no other place.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from resrank.collections.remote_file import RemoteFile
from resrank.io.data_folder import data_folder


def place_of(file: RemoteFile) -> Path:
    """Return the path of a file once it is fetched.

    It contains the checksum, so that suites share the file and no address can change it.
    """
    return data_folder() / "files" / file.checksum.replace(":", "-") / file.name


def is_here(file: RemoteFile) -> bool:
    """Return whether a file has been fetched, by its size. Its checksum is checked at each use."""
    place = place_of(file)
    return place.is_file() and place.stat().st_size == file.bytes


def in_mirror(file: RemoteFile) -> bool:
    """Return whether a file lies in a mirror that is a folder of this machine."""
    address = address_of(file)
    return not urlsplit(address).scheme.startswith("http") and Path(address).is_file()


def address_of(file: RemoteFile) -> str:
    """Return the address that a file is fetched from, or its path in a mirror's folder."""
    mirror = os.environ.get("RESRANK_MIRROR")
    if not mirror:
        return file.url
    parts = urlsplit(file.url)
    return f"{mirror.rstrip('/')}/{parts.netloc}{parts.path}"
