"""What a suite's numbers come from, read from the manifests beside its files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from resrank.io.hashing import sha256_file
from resrank.reporting.results import read_json

Manifests = Mapping[Path, dict[str, Any]]
ENDING = "manifest.json"


def read_manifests(root: Path) -> Manifests:
    """Every manifest under a suite's folder, by its path below it."""
    return {path.relative_to(root): read_json(path) for path in sorted(root.rglob(f"*{ENDING}"))}


def stage_of(path: Path) -> str:
    """The stage that wrote a file: its folder's, or its own name."""
    return path.parts[0].removesuffix(f".{ENDING}")


def environments(manifests: Manifests) -> list[dict[str, Any]]:
    """Each environment that the suite's files were made in, and how many; the commonest first."""
    counted = Counter(
        json.dumps(about["environment"], sort_keys=True)
        for about in manifests.values()
        if "environment" in about
    )
    return [json.loads(text) | {"files": count} for text, count in counted.most_common()]


def hashes(manifests: Manifests) -> list[tuple[str, str]]:
    """(file or folder, its hash) of everything that a manifest states a hash of."""
    rows = []
    for path, about in manifests.items():
        below = path.parent
        if "hash" in about:
            name = path.name.removesuffix(ENDING).removesuffix(".")
            rows.append(((below / name).as_posix(), str(about["hash"])))
        rows += [((below / name).as_posix(), digest) for name, digest in outputs(about).items()]
    return sorted(rows)


def outputs(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The files that a manifest states, with their hashes."""
    found = manifest.get("outputs")
    return found if isinstance(found, dict) else {}


def lineage(root: Path, manifests: Manifests) -> set[tuple[str, str]]:
    """(stage, stage that read it): a hash that one stage wrote stands in the other's inputs."""
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
    """The hashes by which others may name what a manifest stands beside."""
    yield sha256_file(path)
    yield from outputs(manifest).values()
    if "hash" in manifest:
        yield str(manifest["hash"])
        parquet = path.with_name(path.name.replace(ENDING, "parquet"))
        if parquet.is_file():
            yield sha256_file(parquet)
