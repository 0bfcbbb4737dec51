"""One run made of the runs of its shards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from resrank.files import atomic_file, sha256_file, write_json
from resrank.store import encoder_run, transcript, usage_of, write_usage_rows

SAME = ("inputs", "config", "system", "seed", "dtype")


def merge_runs(shards: Sequence[Path], out: Path) -> None:
    """One run of the shards' runs, in their order: the bytes that a single job writes.

    With it its usage, the encoder's own run and the transcript where there are any, and the
    manifest. Raises ValueError if the shards are not of one run.
    """
    manifests = [_manifest(path) for path in shards]
    _check(shards, manifests)
    written = [out, usage_of(out)]
    _join(shards, out)
    rows = [row for path in shards for row in pq.read_table(usage_of(path)).to_pylist()]
    write_usage_rows(usage_of(out), rows)
    for beside in (encoder_run, transcript):
        parts = [beside(path) for path in shards if beside(path).is_file()]
        if parts:
            _join(parts, beside(out))
            written += [beside(out)] if beside is encoder_run else []
        else:
            beside(out).unlink(missing_ok=True)
    write_json(
        out.with_suffix(".manifest.json"),
        manifests[0]
        | {"shards": len(shards), "about": _about(manifests)}
        | {"outputs": {path.name: sha256_file(path) for path in written}},
    )


def _manifest(run: Path) -> dict[str, Any]:
    path = run.with_suffix(".manifest.json")
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; remove {run}, and its job makes both anew")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _check(shards: Sequence[Path], manifests: Sequence[dict[str, Any]]) -> None:
    for path, manifest in zip(shards, manifests, strict=True):
        other = [name for name in SAME if manifest[name] != manifests[0][name]]
        if other:
            raise ValueError(
                f"{path}: its {', '.join(other)} are not those of {shards[0]}; remove the shard "
                "that is old, and its job makes it anew"
            )


def _join(parts: Sequence[Path], out: Path) -> None:
    with atomic_file(out) as partial, partial.open("wb") as whole:
        for path in parts:
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole)


def _about(manifests: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the systems say of themselves; prices are summed."""
    about = dict(manifests[0]["about"])
    prices = [found["about"]["price"] for found in manifests if "price" in found["about"]]
    return about | ({"price": sum(prices)} if prices else {})
