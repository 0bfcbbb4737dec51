"""SHA-256 of files and of text lines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

Hashed = TypeVar("Hashed")


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class LinesHash:
    """SHA-256 of text lines: a hash of content that no file format's version changes."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def update(self, lines: Iterable[str]) -> None:
        """Add lines."""
        for line in lines:
            self._digest.update(line.encode("utf-8", "surrogatepass"))
            self._digest.update(b"\n")

    def passing(self, items: Iterable[Hashed], line: Callable[[Hashed], str]) -> Iterator[Hashed]:
        """The items, each one's line added as it goes by."""
        for item in items:
            self.update([line(item)])
            yield item

    def hexdigest(self) -> str:
        """The hash of the lines so far."""
        return self._digest.hexdigest()


def sha256_lines(lines: Iterable[str]) -> str:
    """The hash of text lines, see `LinesHash`."""
    digest = LinesHash()
    digest.update(lines)
    return digest.hexdigest()


def in_hash_order(items: Iterable[Hashed], text_of: Callable[[Hashed], str]) -> list[Hashed]:
    """Return the items ordered by the SHA-256 of a text of each.

    The first n of them are a random sample that is the same on every machine.
    """

    def digest(item: Hashed) -> bytes:
        return hashlib.sha256(text_of(item).encode("utf-8", "surrogatepass")).digest()

    return sorted(items, key=digest)


def hashed(inputs: Mapping[str, Path | str]) -> dict[str, str]:
    """Inputs by name, a file as the hash of its bytes; a hash that is known stays."""
    return {
        name: sha256_file(source) if isinstance(source, Path) else source
        for name, source in inputs.items()
    }
