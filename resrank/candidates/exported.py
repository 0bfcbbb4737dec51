"""A frozen candidate set as a folder that another suite, or another machine, takes over unchanged.

`candidates.parquet` is the file that every system reranks, byte for byte; `manifest.json` is the
one that stood beside it, with that file's SHA-256: which collection, which first stage, with what.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resrank.candidates.kinds import FrozenStage
from resrank.io.atomic import atomic_file, atomic_folder
from resrank.io.candidates import RankedList, candidates_hash, read_candidates
from resrank.io.collection import Collection
from resrank.io.hashing import sha256_file
from resrank.io.manifest import write_sealed
from resrank.io.seals import read_sealed
from resrank.io.text import DataError

LISTS, ABOUT = "candidates.parquet", "manifest.json"


def export(candidates: Path, out: Path) -> dict[str, Any]:
    """Write the folder `out`; returns the entry of a first stage that takes it over.

    Raises DataError if the lists are not those that their manifest speaks of.
    """
    lists = read_candidates(candidates)
    about = _manifest(candidates.with_suffix(".manifest.json"))
    if candidates_hash(lists) != about["hash"]:
        raise DataError(f"{candidates}: not what its manifest says was frozen; freeze it again")
    with atomic_folder(out) as folder:
        shutil.copyfile(candidates, folder / LISTS)
        write_sealed(folder / ABOUT, about | {"sha256": sha256_file(folder / LISTS)})
    return {"kind": "frozen", "path": str(out), "hash": about["hash"], "depth": about["depth"]}


def take_over(
    spec: FrozenStage, collection: Collection, out: Path
) -> tuple[Mapping[str, RankedList], dict[str, Any]]:
    """Copy the exported lists to `out`; returns them, and the manifest that came with them.

    Raises DataError if a byte of them is another, or hash, depth or collection are not those asked
    for; nothing is written then.
    """
    source = spec.path / LISTS
    about = _manifest(spec.path / ABOUT)
    with atomic_file(out) as partial:
        try:
            shutil.copyfile(source, partial)
        except FileNotFoundError as error:
            raise DataError(f"no {source}; export the candidates again") from error
        if (found := sha256_file(partial)) != about.get("sha256"):
            raise DataError(
                f"{source}: damaged, its SHA-256 is {found}, not {about.get('sha256')}; copy the "
                "folder again"
            )
        lists = read_candidates(partial)
        _agree(source, "hash", candidates_hash(lists), spec.hash, "name the one you mean")
        _agree(source, "depth", about["depth"], spec.depth, "exported lists are taken whole")
        _agree(
            source, "collection's hash", about["inputs"].get("collection"), collection.hash,
            f"{collection.folder} is another version of it",
        )  # fmt: skip
    return lists, about


def _manifest(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = read_sealed(path, "copy the folder again")
        return found | {
            "hash": found["hash"],
            "depth": found["depth"],
            "inputs": dict(found["inputs"]),
        }
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: no manifest of frozen candidates ({error!r})") from error


def _agree(source: Path, what: str, found: object, wanted: object, advice: str) -> None:
    if found != wanted:
        raise DataError(f"{source}: its {what} is {found}, not {wanted}; {advice}")
