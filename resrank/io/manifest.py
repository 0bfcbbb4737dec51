"""Manifests: what an output was made from, and the SHA-256 of every output file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from resrank.io.atomic import _json, atomic_file
from resrank.io.environment import environment
from resrank.io.hashing import hashed, sha256_file
from resrank.io.seals import AGAIN, BLANK, SEAL, Damaged, read_sealed, seal


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """As `write_json`, an object that holds its own hash: `seals.read_sealed` checks it."""
    with atomic_file(path) as partial:
        partial.write_text(_json({SEAL: BLANK, **value}), encoding="utf-8")
        seal(partial)


def write_manifest(
    path: Path, *, inputs: Mapping[str, Path | str], config: Any, **facts: Any
) -> None:
    """Write the manifest of an output: hashes of its inputs, config, versions, hardware, facts.

    inputs: name -> a file (hashed by its bytes) or a hash that is already known.
    """
    about = {"inputs": hashed(inputs), "config": config, **facts, "environment": environment()}
    write_sealed(path, about)


def check_run(run: Path) -> None:
    """Raise Damaged if a run, or its encoder's own, is not what its manifest says was written.

    A run without a manifest, somebody else's, is taken as it is.
    """
    for name, digest in _outputs(run.with_suffix(".manifest.json")).items():
        if name.endswith(".trec"):
            check_file(run.with_name(name), digest)


def check_model(folder: Path) -> None:
    """Raise Damaged if a model's files are not those of the manifest beside its folder, if any."""
    for name, digest in _outputs(manifest_of(folder)).items():
        check_file(folder / name, digest, f"delete {folder}, and the job that trains it runs again")


def check_report(root: Path) -> None:
    """Raise Damaged if a table or figure of a suite's folder is not as its report wrote it."""
    for name, digest in _outputs(root / "report.manifest.json").items():
        check_file(root / name, digest, "`snakemake --forcerun report` writes it anew")


def manifest_of(folder: Path) -> Path:
    """Where the manifest of a trained model lies."""
    return folder.with_name(f"{folder.name}.manifest.json")


def check_file(path: Path, digest: str, advice: str = AGAIN) -> None:
    """Raise Damaged if a file is gone, or its hash is not `digest`."""
    if not path.is_file():
        raise Damaged(path, "it is gone", advice)
    about = path.stat()
    if _sha256(path, about.st_mtime_ns, about.st_size) != digest:
        raise Damaged(path, "its SHA-256 is another than its manifest states", advice)


@cache
def _sha256(path: Path, changed: int, size: int) -> str:
    """Taken once a process, unless the file changed."""
    return sha256_file(path)


def _outputs(manifest: Path) -> dict[str, Any]:
    return read_sealed(manifest).get("outputs", {}) if manifest.is_file() else {}
