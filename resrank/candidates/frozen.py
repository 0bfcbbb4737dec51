"""The kind `frozen`: candidates that another suite has frozen and exported, byte for byte."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from resrank.candidates.base import FirstStageKind, StageInputs, WrittenLists
from resrank.io.hashing import sha256_file
from resrank.io.text import DataError

if TYPE_CHECKING:
    from resrank.collections.base import CollectionKind
    from resrank.io.candidates import RankedList
    from resrank.io.collection import Collection


class FrozenStage(FirstStageKind):
    """Candidates that were frozen before and exported: the same bytes again."""

    kind: Literal["frozen"]
    path: Path = Field(description="The folder that `export-candidates` wrote.")
    hash: str = Field(pattern="^[0-9a-f]{64}$", description="The lists' hash; others are refused.")
    depth: int = Field(100, ge=1, description="Depth that they were frozen at.")

    def suits(self, collection: CollectionKind) -> bool:
        """Return True: the hashes show whether the lists are of a collection."""
        return True

    def local_paths(self) -> dict[str, Path]:
        """Return the folder."""
        return {"path": self.path}

    def source_files(self) -> list[Path]:
        """Return the folder's files."""
        return [path for path in sorted(self.path.glob("*")) if path.is_file()]

    def search(self, inputs: StageInputs) -> Mapping[str, RankedList]:
        """Return the exported lists as they are."""
        from resrank.candidates.exported import LISTS
        from resrank.io.candidates import read_candidates

        return read_candidates(self.path / LISTS)

    def write(self, inputs: StageInputs, out: Path) -> WrittenLists:
        """Copy the exported lists to `out`; the manifest that came with them is their origin.

        Raises DataError if a byte has changed, or hash, depth or collection are not those that the
        entry states; nothing is written then.
        """
        from resrank.candidates.exported import ABOUT, LISTS, read_about
        from resrank.io.atomic import atomic_file
        from resrank.io.candidates import read_candidates

        source = self.path / LISTS
        about = read_about(self.path / ABOUT)
        with atomic_file(out) as partial:
            try:
                shutil.copyfile(source, partial)
            except FileNotFoundError as error:
                raise DataError(f"no {source}; export the candidates again") from error
            digest, expected = sha256_file(partial), about["outputs"].get(LISTS)
            if expected is None:
                raise DataError(
                    f"{self.path / ABOUT}: no manifest of exported candidates (it has no SHA-256 "
                    f"of {LISTS}); export the candidates again"
                )
            if digest != expected:
                raise DataError(
                    f"{source}: damaged, its SHA-256 is {digest}, not {expected}; copy the folder "
                    "again"
                )
            lists = read_candidates(partial)
            self._check(source, lists, about, inputs.collection)
        return WrittenLists(lists, self.hash, {"frozen": digest}, about)

    def _check(
        self,
        source: Path,
        lists: Mapping[str, RankedList],
        about: Mapping[str, Any],
        collection: Collection,
    ) -> None:
        from resrank.io.candidates import candidates_hash

        made_from = about["inputs"].get("collection")
        for fact, value, wanted, advice in (
            ("hash", candidates_hash(lists), self.hash, "name the one you mean"),
            ("depth", about["depth"], self.depth, "exported lists are taken whole"),
            ("collection's hash", made_from, collection.hash,
             f"{collection.folder} is another version of it"),
        ):  # fmt: skip
            if value != wanted:
                raise DataError(f"{source}: its {fact} is {value}, not {wanted}; {advice}")
