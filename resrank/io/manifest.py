"""Manifests: the inputs of an output, and the SHA-256 of every output file.

A manifest lies beside the files that it lists. Readers compare a file with its manifest, if there
is one, so that a flipped byte is noticed before anything is read. A file without a manifest, such
as one of the user's, is read as it is.

JSON files (manifests, results, lines of a transcript) carry the SHA-256 of their content under
`CONTENT_SHA256`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from resrank.io.atomic import write_json
from resrank.io.environment import environment
from resrank.io.hashing import hashed, sha256_file

CONTENT_SHA256 = "content_sha256"
AGAIN = "delete it, and the job that makes it runs again"


class Damaged(ValueError):
    """A file that differs from what was written. The message names it and says what to do."""

    def __init__(self, path: Path, reason: object, advice: str = AGAIN) -> None:
        super().__init__(f"{path} is damaged ({reason}); {advice}")


def write_checked_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write atomically, with the SHA-256 of the content."""
    write_json(path, _with_digest(value))


def read_checked_json(path: Path, advice: str = AGAIN) -> Any:
    """Return the value of a JSON file, without its SHA-256.

    Raises Damaged if the text is not JSON or its content does not match the SHA-256. Any JSON file
    without a SHA-256 is accepted.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Damaged(path, error, advice) from error
    if not isinstance(value, dict):
        return value
    if not is_intact(value):
        raise Damaged(path, "its content does not match its SHA-256", advice)
    return _content(value)


def checked_line(row: Mapping[str, Any]) -> str:
    """Return an object as a line of JSON with the SHA-256 of its content."""
    return json.dumps(_with_digest(row)) + "\n"


def read_line(line: str | bytes, path: Path, number: int, advice: str) -> dict[str, Any]:
    """Return a line's object, as `checked_line` wrote it; raise Damaged if it differs.

    An object without a SHA-256, as other tools write it, is accepted.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict) or not is_intact(row):
        raise Damaged(path, f"line {number} is not as it was written", advice)
    return row


def is_intact(value: Mapping[str, Any]) -> bool:
    """Return whether an object matches the SHA-256 that it states; True if it states none."""
    return value.get(CONTENT_SHA256) in (None, _digest(_content(value)))


def _with_digest(value: Mapping[str, Any]) -> dict[str, Any]:
    # JSON round trip, so the hash covers what a reader sees.
    content = _content(json.loads(json.dumps(value)))
    return {**content, CONTENT_SHA256: _digest(content)}


def _content(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in value.items() if name != CONTENT_SHA256}


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_manifest(
    path: Path,
    *,
    inputs: Mapping[str, Path | str],
    config: Any,
    outputs: Iterable[Path] = (),
    **facts: Any,
) -> None:
    """Write a manifest: hashes of inputs and outputs, config, versions, hardware, facts.

    inputs: name -> a file (hashed by its bytes) or a hash. outputs: files in the manifest's folder
    or below it, or next to that folder.
    """
    about = {"inputs": hashed(inputs), "config": config, **facts, "environment": environment()}
    write_checked_json(path, about | {"outputs": output_hashes(outputs, path.parent)})


def output_hashes(files: Iterable[Path], folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file, by its path relative to the manifest's folder."""
    return {Path(os.path.relpath(file, folder)).as_posix(): sha256_file(file) for file in files}


def files_below(folder: Path) -> list[Path]:
    """Return all files in a folder and its subfolders, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def manifest_of(output: Path) -> Path:
    """Return the manifest's path of a run (`seed1.trec`) or of a model's folder (`seed1`)."""
    return output.with_name(f"{output.name.removesuffix('.trec')}.manifest.json")


def check_run(run: Path) -> None:
    """Raise Damaged if a run, or a file written with it, differs from the run's manifest."""
    check_outputs(manifest_of(run))


def check_model(folder: Path) -> None:
    """Raise Damaged if a trained model differs from the manifest beside its folder.

    Manifests of earlier versions list a model's files relative to the model's folder.
    """
    manifest = manifest_of(folder)
    outputs = _outputs(manifest)
    earlier = not any(name.startswith(f"{folder.name}/") for name in outputs)
    advice = f"delete {folder}, and the job that trains it runs again"
    _check_files(outputs, folder if earlier else manifest.parent, advice)


def check_report(root: Path) -> None:
    """Raise Damaged if a table or figure in a suite's folder differs from the report's manifest."""
    check_outputs(root / "report.manifest.json", "`snakemake --forcerun report` rewrites it")


def check_outputs(manifest: Path, advice: str = AGAIN) -> None:
    """Raise Damaged if an output is missing or differs from the manifest, if there is one."""
    _check_files(_outputs(manifest), manifest.parent, advice)


def check_output(path: Path) -> None:
    """Raise Damaged if a file differs from what a manifest in its folder states.

    The manifest of `a.b.parquet` is `a.b.manifest.json`, `a.manifest.json` or `manifest.json`.
    """
    parts = path.name.split(".")
    stems = [".".join(parts[:count]) + "." for count in range(len(parts) - 1, 0, -1)]
    for stem in (*stems, ""):
        digest = _outputs(path.with_name(f"{stem}manifest.json")).get(path.name)
        if digest is not None:
            return check_file(path, digest)
    return None


def check_file(path: Path, digest: str, advice: str = AGAIN) -> None:
    """Raise Damaged if a file is missing or its SHA-256 is not `digest`."""
    if not path.is_file():
        raise Damaged(path, "it is missing", advice)
    if _sha256(path, *_fingerprint(path)) != digest:
        raise Damaged(path, "its SHA-256 differs from the one in its manifest", advice)


def _check_files(outputs: Mapping[str, str], folder: Path, advice: str) -> None:
    for name, digest in outputs.items():
        check_file(folder / name, digest, advice)


def _outputs(manifest: Path) -> Mapping[str, str]:
    return _read_outputs(manifest, *_fingerprint(manifest)) if manifest.is_file() else {}


def _fingerprint(path: Path) -> tuple[int, int]:
    """Return a cheap fingerprint: mtime and size."""
    about = path.stat()
    return about.st_mtime_ns, about.st_size


@cache
def _sha256(path: Path, changed: int, size: int) -> str:
    """Hash a file once per process, unless it changes."""
    return sha256_file(path)


@cache
def _read_outputs(manifest: Path, changed: int, size: int) -> Mapping[str, str]:
    value = read_checked_json(manifest)
    outputs = value.get("outputs") if isinstance(value, dict) else None
    return outputs if isinstance(outputs, dict) else {}  # somebody else's `manifest.json`


def forget_checks() -> None:
    """Check every file again when it is read next."""
    _sha256.cache_clear()
    _read_outputs.cache_clear()
