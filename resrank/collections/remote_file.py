"""A file on the network, by address, size and checksum."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, Tag

from resrank.options import NAME, NAME_OR_SHAPE, SHAPE, Strict


class RemoteFile(Strict):
    """A file on the network and what it must be."""

    url: str = Field(pattern=r"^https?://", description="Its address.")
    bytes: int = Field(ge=1, description="Its size.")
    checksum: str = Field(
        pattern=r"^(md5:[0-9a-f]{32}|sha256:[0-9a-f]{64})$", description="md5:... or sha256:..."
    )

    @property
    def name(self) -> str:
        """The file's name on disk."""
        return self.url.rpartition("/")[2].partition("?")[0] or "file"


LocalOrRemote = Annotated[
    Annotated[Path, Tag(NAME)] | Annotated[RemoteFile, Tag(SHAPE)], NAME_OR_SHAPE
]


def remote_only(*files: Path | RemoteFile | None) -> list[RemoteFile]:
    """Return those of the files that are on the network."""
    return [file for file in files if isinstance(file, RemoteFile)]
