"""Every call kept in a file: a killed run repeats none of them, and the file alone is the model.

A file holds the answers of one model under one set of parameters, whose hash is in its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from baselines.llm.interface import Answer, Keep, LanguageModel, Message, Prompt, drop, encodable
from resrank.io.hashing import sha256_lines
from resrank.io.manifest import checked_line, read_line
from resrank.io.text import DataError, numbered, text_field
from resrank.options import short_repr

ASK_AGAIN = "delete the line, and the call is made again"


class Recorded:
    """A model whose answers are written down as they come, and looked up before it is asked.

    run: the run file that the transcript lies beside; parameters: the model's, and the length that
    is asked for.
    """

    def __init__(self, model: LanguageModel, run: Path, parameters: Mapping[str, Any]) -> None:
        self.model = model
        self.parameters = parameters
        self.path = transcript_path(run, self.parameters)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.known: dict[str, Answer] = {}
        for path in (whole_transcript(self.path), self.path):
            if path.exists():
                _drop_torn_line(path)
                self.known |= read_transcript(path)
        self.elsewhere = _lines_of_shards(self.path)
        self.used: set[str] = set()
        self.lock = threading.Lock()

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int, keep: Keep = drop
    ) -> Iterator[tuple[int, Answer]]:
        """Yield every prompt's answer, once all are known; each is written down as it arrives."""
        keys = [call_key(self.parameters, p) for p in prompts]
        first: dict[str, int] = {}
        for place, key in enumerate(keys):
            first.setdefault(key, place)
        for key in first:
            if key not in self.known and key in self.elsewhere:
                self._take_over(key)
        asked = [place for key, place in first.items() if key not in self.known]

        def write(number: int, answer: Answer) -> None:
            place = asked[number]
            self._write(keys[place], prompts[place], answer)
            keep(place, answer)

        for _ in self.model.answers([prompts[p] for p in asked], max_new_tokens, write):
            pass
        for place, key in enumerate(keys):
            self.used.add(key)
            yield place, self.known[key]

    def _write(self, key: str, prompt: Prompt, answer: Answer) -> None:
        row = {
            "key": key,
            "prompt": [message._asdict() for message in prompt],
            "parameters": dict(self.parameters),
            **asdict(answer),
        }
        self._add(key, checked_line(row), answer)

    def _take_over(self, key: str) -> None:
        """Copy the answer that a shard has recorded: replay and merging read the file alone."""
        line = self.elsewhere[key]
        self._add(key, line, read_answer(json.loads(line), "a shard's transcript"))

    def _add(self, key: str, line: str, answer: Answer) -> None:
        """Add a line, whole and on the disk before the answer counts as known."""
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            self.known[key] = answer

    @property
    def about(self) -> Mapping[str, Any]:
        """The file, how many of its answers the run used, and the hash of these.

        The hash is over keys and texts alone, in the keys' order: it depends neither on the order
        in which answers came nor on how long they took.
        """
        lines = (f"{key} {self.known[key].text}" for key in sorted(self.used))
        return {"file": self.path.name, "answers": len(self.used), "content": sha256_lines(lines)}


def transcript_path(run: Path, parameters: Mapping[str, Any]) -> Path:
    """Where the answers behind a run lie; answers under other parameters have another file."""
    return run.with_suffix(f".transcript.{_sha256(parameters)[:12]}.jsonl")


def whole_transcript(path: Path) -> Path:
    """What a run has recorded, from what a shard of it records: the same file if it is no shard's.

    `seed0.shards/1of2.transcript...` is of `seed0.transcript...`: what was answered, and paid for,
    before the run was split is not asked again.
    """
    if path.parent.suffix != ".shards":
        return path
    return path.parent.with_suffix(f".{path.name.partition('.')[2]}")


def _lines_of_shards(path: Path) -> dict[str, str]:
    """Key -> line of what shards of the run have recorded, in any number of them, but for `path`.

    A run that was killed in shards is begun again with another number of them, or none, and what
    they were answered is not asked again. Their files are read only: a shard may be writing.
    """
    whole = whole_transcript(path)
    stem, _, ending = whole.name.partition(".")
    found: dict[str, str] = {}
    for file in sorted((whole.parent / f"{stem}.shards").glob(f"*.{ending}")):
        if file != path:
            with file.open(encoding="utf-8", errors="replace") as lines:
                for number, line in numbered(lines, file, DataError):
                    if line.endswith("\n"):
                        row = read_line(line, file, number, ASK_AGAIN)
                        found[text_field(row, "key", f"{file}:{number}")] = line
    return found


def call_key(parameters: Mapping[str, Any], prompt: Prompt) -> str:
    """SHA-256 of all that an answer depends on."""
    return _sha256([dict(parameters), prompt])


def read_transcript(path: Path) -> dict[str, Answer]:
    """Key -> answer. Raises Damaged or DataError, which name a line that is no record."""
    return {
        text_field(row, "key", f"{path}:{n}"): read_answer(row, f"{path}:{n}")
        for n, row in read_rows(path)
    }


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, object). Raises Damaged if a line is none, or not as it was written."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as lines:
            for number, line in numbered(lines, path, DataError):
                if line.strip():
                    yield number, read_line(line, path, number, ASK_AGAIN)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def read_call(row: Mapping[str, Any], where: str) -> tuple[Prompt, dict[str, Any]]:
    """A line's prompt and what it was asked with. DataError if it is no record of a call."""
    try:
        prompt = tuple(Message(_text(m["role"]), _text(m["content"])) for m in row["prompt"])
        parameters = row["parameters"]
    except (KeyError, TypeError) as error:
        raise DataError(f"{where}: not a record of a call ({error!r})") from error
    if not (prompt and isinstance(parameters, dict)):
        raise DataError(f"{where}: not a record of a call (no prompt, or no object `parameters`)")
    return prompt, parameters


def read_answer(row: Mapping[str, Any], where: str) -> Answer:
    """A line's answer. DataError if it is no record of a call."""
    try:
        return Answer(
            encodable(_text(row["text"])), int(row["prompt_tokens"]), int(row["generated_tokens"]),
            float(row["seconds"]),
        )  # fmt: skip
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise DataError(f"{where}: not a record of a call ({short_repr(error)})") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} in place of text")
    return value


def _sha256(value: Any) -> str:
    about = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()


def _drop_torn_line(path: Path) -> None:
    """Cut off a last line that a killed process did not finish."""
    with path.open("r+b") as file:
        data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            file.truncate(whole)
