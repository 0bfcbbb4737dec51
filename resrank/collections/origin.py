"""Where a collection's files are: the user's own, or fetched with its terms shown first."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from resrank.collections.archives import unpack
from resrank.collections.fetch import Unreachable, address_of, fetch, in_mirror, is_here
from resrank.collections.kinds import BeirCollection, Collection, RemoteFile
from resrank.io.manifest import write_sealed
from resrank.io.text import DataError


def local_file(spec: Collection, file: Path | RemoteFile) -> Path:
    """A file of a collection on this machine."""
    return file if isinstance(file, Path) else fetch(file)


def local_folder(spec: BeirCollection) -> Path:
    """A collection's folder in BEIR layout on this machine."""
    if spec.archive is None:
        assert spec.path is not None
        if not spec.path.is_dir():
            raise DataError(
                f"no folder {spec.path} (from {Path.cwd()}); a BEIR folder holds corpus.jsonl, "
                "queries.jsonl and qrels/<split>.tsv"
            )
        return spec.path
    found = unpack(local_file(spec, spec.archive), spec.unpacked_bytes) / spec.folder
    if not (found / "corpus.jsonl").is_file():
        there = sorted(p.name for p in found.parent.glob("*")) or ["nothing"]
        raise DataError(
            f"{spec.archive.name}: no corpus.jsonl in its folder {spec.folder!r}; beside it: "
            f"{', '.join(there[:8])}"
        )
    return found


def show_terms(spec: Collection) -> None:
    """Print a collection's terms, if there are any and something of it is still to be fetched."""
    files = remote_files(spec)
    fetched = spec.kind == "ir_datasets" or bool(files)
    if spec.terms and fetched and not (files and all(map(is_here, files))):
        print(f"{spec.source}: {spec.terms} (licence: {spec.licence})", file=sys.stderr, flush=True)


def remote_files(spec: Collection) -> list[RemoteFile]:
    """The files of a collection that are fetched."""
    named: list[Any] = [getattr(spec, key, None) for key in ("archive", "path", "qrels")]
    named += getattr(spec, "files", [])
    return [file for file in named if isinstance(file, RemoteFile)]


def out_of_reach(spec: Collection) -> list[RemoteFile]:
    """The files of a collection that only a network could give."""
    return [file for file in remote_files(spec) if not (is_here(file) or in_mirror(file))]


def fetch_optional(spec: Collection, out: Path) -> None:
    """Fetch a collection's files; where no network gives them, write why to `out`, else null.

    Any other failure is an error, as of a collection that is required.
    """
    show_terms(spec)
    absent = None
    for file in remote_files(spec):
        try:
            fetch(file)
        except Unreachable as error:
            print(error, file=sys.stderr)
            # The same words each time, so that tables that say them are not made again.
            absent = f"no network: {urlsplit(address_of(file)).netloc} did not answer"
            break
    write_sealed(out, {"absent": absent})


def facts(spec: Collection) -> dict[str, Any]:
    """What a manifest says of a collection's origin."""
    return {
        "source": spec.source, "version": spec.version, "licence": spec.licence,
        "terms": spec.terms,
    }  # fmt: skip
