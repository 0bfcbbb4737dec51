"""A frozen candidate set as a folder that another suite, or another machine, reads unchanged.

`candidates.parquet` is the file that every system reranks, byte for byte. `manifest.json` is the
file that lay beside it, with the SHA-256 of `candidates.parquet`: it states the collection, the
first stage and its options. The kind `frozen` reads the folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resrank.io.atomic import atomic_folder
from resrank.io.candidates import candidates_hash, read_candidates
from resrank.io.manifest import output_hashes, read_checked_json, write_checked_json
from resrank.io.text import DataError

LISTS, ABOUT = "candidates.parquet", "manifest.json"


def export(candidates: Path, out: Path) -> dict[str, Any]:
    """Write the folder `out`; return the entry of a first stage that reads it.

    Raises DataError if the lists are not those that their manifest describes.
    """
    lists = read_candidates(candidates)
    about = read_about(candidates.with_suffix(".manifest.json"))
    if candidates_hash(lists) != about["hash"]:
        raise DataError(f"{candidates}: not what its manifest says was frozen; freeze it again")
    with atomic_folder(out) as folder:
        shutil.copyfile(candidates, folder / LISTS)
        outputs = output_hashes([folder / LISTS], folder)
        write_checked_json(folder / ABOUT, about | {"outputs": outputs})
    return {"kind": "frozen", "path": str(out), "hash": about["hash"], "depth": about["depth"]}


def read_about(path: Path) -> dict[str, Any]:
    """Return the manifest of frozen candidates: `hash`, `depth`, `inputs`, `outputs`, more.

    An earlier version wrote `sha256` instead of `outputs` when it exported, and neither when it
    froze. Raises DataError if the file is missing or is no such manifest.
    """
    try:
        about: dict[str, Any] = read_checked_json(path, "copy the folder again")
        return about | {
            "hash": about["hash"],
            "depth": about["depth"],
            "inputs": dict(about["inputs"]),
            "outputs": dict(about["outputs"] if "outputs" in about else _earlier_outputs(about)),
        }
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: no manifest of frozen candidates ({error!r})") from error


def _earlier_outputs(about: Mapping[str, Any]) -> dict[str, str]:
    return {LISTS: about["sha256"]} if "sha256" in about else {}
