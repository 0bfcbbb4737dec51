"""Paths of transcripts, and readers of their lines."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from baselines.llm.interface import Answer, Message, Prompt, encodable
from resrank.io.manifest import read_line
from resrank.io.text import DataError, numbered, text_field
from resrank.options import short_repr

ASK_AGAIN = "delete the line, and the call is made again"


def transcript_path(run: Path, parameters: Mapping[str, Any]) -> Path:
    """Return the path of a run's transcript, which is another for other parameters."""
    return run.with_suffix(f".transcript.{_sha256(parameters)[:12]}.jsonl")


def unsharded(path: Path) -> Path:
    """Return the transcript of the whole run for a shard's transcript; any other path unchanged.

    `seed0.shards/1of2.transcript...` belongs to `seed0.transcript...`: calls that were answered,
    and paid for, before the run was split are not repeated.
    """
    if path.parent.suffix != ".shards":
        return path
    return path.parent.with_suffix(f".{path.name.partition('.')[2]}")


def lines_of_shards(path: Path) -> dict[str, str]:
    """Return key -> line of all shards' transcripts of the run, except the one at `path`.

    A run that was killed in shards may be restarted with another number of shards, or with none,
    and repeats no recorded call. Files of shards are only read: a shard may be writing.
    """
    run = unsharded(path)
    stem, _, ending = run.name.partition(".")
    lines_by_key: dict[str, str] = {}
    for file in sorted((run.parent / f"{stem}.shards").glob(f"*.{ending}")):
        if file != path:
            with file.open(encoding="utf-8", errors="replace") as lines:
                for number, line in numbered(lines, file, DataError):
                    if line.endswith("\n"):
                        row = read_line(line, file, number, ASK_AGAIN)
                        lines_by_key[text_field(row, "key", f"{file}:{number}")] = line
    return lines_by_key


def call_key(parameters: Mapping[str, Any], prompt: Prompt) -> str:
    """Return the SHA-256 of everything that an answer depends on."""
    return _sha256([dict(parameters), prompt])


def read_transcript(path: Path) -> dict[str, Answer]:
    """Return key -> answer. Damaged or DataError names a line that is not a call's record."""
    return {
        text_field(row, "key", f"{path}:{n}"): read_answer(row, f"{path}:{n}")
        for n, row in read_rows(path)
    }


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object). Damaged if a line is not an object or has changed."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            for number, line in numbered(lines, path, DataError):
                if line.strip():
                    yield number, read_line(line, path, number, ASK_AGAIN)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def read_call(row: Mapping[str, Any], where: str) -> tuple[Prompt, dict[str, Any]]:
    """Return a line's prompt and parameters. DataError if it is not a call's record."""
    try:
        prompt = tuple(Message(_text(m["role"]), _text(m["content"])) for m in row["prompt"])
        parameters = row["parameters"]
    except (KeyError, TypeError) as error:
        raise DataError(f"{where}: not a record of a call ({error!r})") from error
    if not (prompt and isinstance(parameters, dict)):
        raise DataError(f"{where}: not a record of a call (no prompt, or no object `parameters`)")
    return prompt, parameters


def read_answer(row: Mapping[str, Any], where: str) -> Answer:
    """Return a line's answer. DataError if it is not a call's record."""
    try:
        return Answer(
            text=encodable(_text(row["text"])),
            prompt_tokens=int(row["prompt_tokens"]),
            generated_tokens=int(row["generated_tokens"]),
            seconds=float(row["seconds"]),
            finish=encodable(_text(row.get("finish", ""))),  # recorded since version 0.2
        )
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise DataError(f"{where}: not a record of a call ({short_repr(error)})") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} in place of text")
    return value


def _sha256(value: Any) -> str:
    data = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()
