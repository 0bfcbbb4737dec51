"""A text file's lines, numbered, none of them longer than a record can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

LONGEST = 2**26  # characters; a longer line is no record, but perhaps what a few bytes unpack to


def numbered(file: IO[str], path: Path, error: type[ValueError]) -> Iterator[tuple[int, str]]:
    """Yield (line number, line). Raises `error`, which names the file, at a line beyond LONGEST."""
    for number, line in enumerate(iter(lambda: file.readline(LONGEST), ""), start=1):
        if len(line) == LONGEST:
            raise error(
                f"{path}:{number}: a line of {LONGEST:,} characters or more; a record a line is "
                "needed"
            )
        yield number, line
