"""Provenance of a suite's numbers, read from the manifests beside its files."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from resrank.io.hashing import sha256_file
from resrank.reporting.results import read_json

Manifests = Mapping[Path, dict[str, Any]]
ENDING = "manifest.json"


def read_manifests(root: Path) -> Manifests:
    """Return every manifest under a suite's folder by its relative path."""
    return {path.relative_to(root): read_json(path) for path in sorted(root.rglob(f"*{ENDING}"))}


def stage_of(path: Path) -> str:
    """Return the stage that wrote a file: the name of its top folder, or of the file itself."""
    return path.parts[0].removesuffix(f".{ENDING}")


def environments(manifests: Manifests) -> list[dict[str, Any]]:
    """Return the environments in which the files were made, each with their number, most first."""
    counted = Counter(
        json.dumps(about["environment"], sort_keys=True)
        for about in manifests.values()
        if "environment" in about
    )
    return [json.loads(text) | {"files": count} for text, count in counted.most_common()]


def hashes(manifests: Manifests) -> list[tuple[str, str]]:
    """Return (file or folder, hash) for everything whose hash is in a manifest."""
    rows = []
    for path, about in manifests.items():
        below = path.parent
        if "hash" in about:
            name = path.name.removesuffix(ENDING).removesuffix(".")
            rows.append(((below / name).as_posix(), str(about["hash"])))
        rows += [
            (Path(os.path.normpath(below / name)).as_posix(), digest)
            for name, digest in outputs(about).items()
        ]
    return sorted(rows)


def outputs(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the files that a manifest lists, with their hashes."""
    files = manifest.get("outputs")
    return files if isinstance(files, dict) else {}


def lineage(root: Path, manifests: Manifests) -> set[tuple[str, str]]:
    """Return (stage, reading stage) wherever a hash that one wrote is among the other's inputs."""
    writer = {
        digest: stage_of(path)
        for path, about in manifests.items()
        for digest in _written(root / path, about)
    }
    return {
        (writer[digest], stage_of(path))
        for path, about in manifests.items()
        for digest in about.get("inputs", {}).values()
        if digest in writer and writer[digest] != stage_of(path)
    }


def _written(path: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield the hashes under which other manifests may refer to this one's files."""
    yield sha256_file(path)
    yield from outputs(manifest).values()
    if "hash" in manifest:
        yield str(manifest["hash"])
        parquet = path.with_name(path.name.replace(ENDING, "parquet"))
        if parquet.is_file():
            yield sha256_file(parquet)
