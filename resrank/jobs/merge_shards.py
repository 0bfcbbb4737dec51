"""The merge job: one run from the runs of its shards."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resrank.io.atomic import atomic_file, write_text
from resrank.io.grades import grades_of, merge_grades
from resrank.io.manifest import (
    check_run,
    output_hashes,
    read_checked_json,
    read_line,
    write_checked_json,
)
from resrank.io.parquet import read_columns
from resrank.io.run import USAGE_AND_TIES, encoder_run, usage_of, write_usage_rows
from resrank.rejected_answers import REJECTED, RejectedAnswers

SAME = ("inputs", "config", "system", "seed", "dtype", "tokenizers")
ANSWERS = ("clean_answers", "repaired_answers", "rejected_answers")


def merge_runs(shards: Sequence[Path], out: Path) -> None:
    """Write one run from the shards' runs, in their order: the bytes that a single job writes.

    Usage, the encoder's run, grades, transcripts and the manifest are merged, too. Raises
    ValueError if the shards are not of one run, and TooManyRejected if together they have too many
    rejected answers.
    """
    manifests = [_manifest(path) for path in shards]
    _check(shards, manifests)
    for path in shards:
        check_run(path)
    written = [out, usage_of(out)]
    names = USAGE_AND_TIES.names
    rows = [row for path in shards for row in read_columns(usage_of(path), names).to_pylist()]
    rejected = _rejected(manifests, rows)
    _join(shards, out)
    write_usage_rows(usage_of(out), rows)
    encoder_runs = [encoder_run(path) for path in shards if encoder_run(path).is_file()]
    if encoder_runs:
        _join(encoder_runs, encoder_run(out))
        written.append(encoder_run(out))
    else:
        encoder_run(out).unlink(missing_ok=True)
    if merge_grades(shards, out):
        written.append(grades_of(out))
    _join_transcripts(shards, out)
    write_checked_json(
        out.with_suffix(".manifest.json"),
        manifests[0]
        | {"shards": len(shards), "about": _about(manifests, out) | rejected}
        | {"halved_batches": sum(manifest["halved_batches"] for manifest in manifests)}
        | {"outputs": output_hashes(written, out.parent)},
    )


def _manifest(run: Path) -> dict[str, Any]:
    path = run.with_suffix(".manifest.json")
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; remove {run}, and its job writes both again")
    manifest: dict[str, Any] = read_checked_json(path)
    return manifest


def _check(shards: Sequence[Path], manifests: Sequence[dict[str, Any]]) -> None:
    for path, manifest in zip(shards, manifests, strict=True):
        other = [name for name in SAME if manifest.get(name) != manifests[0].get(name)]
        if other:
            raise ValueError(
                f"{path}: its {', '.join(other)} are not those of {shards[0]}; remove the old "
                "shard, and its job writes it again"
            )


def _join(parts: Sequence[Path], out: Path) -> None:
    with atomic_file(out) as partial, partial.open("wb") as whole:
        for path in parts:
            with path.open("rb") as part:
                shutil.copyfileobj(part, whole)


def _join_transcripts(shards: Sequence[Path], out: Path) -> None:
    """Merge the shards' transcripts beside the run, one file per set of parameters.

    Answers that were recorded before the run was split stay, in front.
    """
    endings: dict[str, list[Path]] = {}
    for path in shards:
        for file in sorted(path.parent.glob(f"{path.stem}.transcript.*")):
            endings.setdefault(file.name.removeprefix(path.stem), []).append(file)
    for ending, files in endings.items():
        whole = out.with_name(out.stem + ending)
        kept = _lines([whole]) if whole.exists() else {}
        write_text(whole, "".join((kept | _lines(files)).values()))


def _lines(transcripts: Sequence[Path]) -> dict[str, str]:
    """Return each call's line by its key. Damaged names a line that is not as it was written."""
    by_key: dict[str, str] = {}
    for path in transcripts:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                row = read_line(line, path, number, "delete the line, and rerank again")
                by_key[row["key"]] = line
    return by_key


def _rejected(
    manifests: Sequence[dict[str, Any]], usage: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the entry on rejected answers for the merged manifest, empty without any.

    Raises TooManyRejected if there are more than the run's limit.
    """
    records = [m["about"][REJECTED] for m in manifests if REJECTED in m["about"]]
    if not records:
        return {}
    answers = sum(row[name] for row in usage for name in ANSWERS)
    rejected = RejectedAnswers(f"system {manifests[0]['system']!r}", records[0]["limit"], answers)
    rejected.add_shards(records)
    return rejected.record


def _about(manifests: Sequence[dict[str, Any]], out: Path) -> dict[str, Any]:
    """Return what the manifests record of the system, with summed prices and answers."""
    records = [manifest["about"] for manifest in manifests]
    about = dict(records[0])
    for name in ("price", "shortened_prompts", "cut_off_answers"):
        if values := [item[name] for item in records if name in item]:
            about[name] = sum(values)
    if recorded := [item["transcript"] for item in records if "transcript" in item]:
        about["transcript"] = {
            "file": f"{out.stem}.{recorded[0]['file'].partition('.')[2]}",
            "answers": sum(item["answers"] for item in recorded),
            "shards": [item["content"] for item in recorded],
        }
    return about
