"""Record every call of a model in a file, and answer repeated calls from it.

A run that was killed repeats no recorded call, and the file can replay the run without the model.
A file holds the answers of one model under one set of parameters, whose hash is in its name.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from baselines.llm.interface import Answer, Keep, LanguageModel, Prompt, drop
from baselines.llm.transcript_files import (
    call_key,
    lines_of_shards,
    read_answer,
    read_transcript,
    transcript_path,
    unsharded,
)
from resrank.io.hashing import sha256_lines
from resrank.io.manifest import checked_line


class RecordedModel:
    """A model whose answers are recorded as they arrive; a recorded call is not repeated.

    run: the run file; the transcript is written beside it. parameters: the model's parameters, and
    the answer's maximal length.
    """

    def __init__(self, model: LanguageModel, run: Path, parameters: Mapping[str, Any]) -> None:
        self.model = model
        self.parameters = parameters
        self.path = transcript_path(run, self.parameters)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.recorded: dict[str, Answer] = {}
        for path in (unsharded(self.path), self.path):
            if path.exists():
                _drop_torn_line(path)
                self.recorded |= read_transcript(path)
        self.of_shards = lines_of_shards(self.path)
        self.used: set[str] = set()
        self.lock = threading.Lock()

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int, keep: Keep = drop
    ) -> Iterator[tuple[int, Answer]]:
        """Yield every prompt's answer, once all are recorded; each is recorded as it arrives."""
        keys = [call_key(self.parameters, p) for p in prompts]
        first: dict[str, int] = {}
        for place, key in enumerate(keys):
            first.setdefault(key, place)
        for key in first:
            if key not in self.recorded and key in self.of_shards:
                self._copy_from_shard(key)
        missing = [place for key, place in first.items() if key not in self.recorded]

        def record(number: int, answer: Answer) -> None:
            place = missing[number]
            self._record(keys[place], prompts[place], answer)
            keep(place, answer)

        for _ in self.model.answers([prompts[p] for p in missing], max_new_tokens, record):
            pass
        for place, key in enumerate(keys):
            self.used.add(key)
            yield place, self.recorded[key]

    def _record(self, key: str, prompt: Prompt, answer: Answer) -> None:
        row = {
            "key": key,
            "prompt": [message._asdict() for message in prompt],
            "parameters": dict(self.parameters),
            **asdict(answer),
        }
        self._append(key, checked_line(row), answer)

    def _copy_from_shard(self, key: str) -> None:
        """Copy a shard's answer: replaying and merging read this file only."""
        line = self.of_shards[key]
        self._append(key, line, read_answer(json.loads(line), "a shard's transcript"))

    def _append(self, key: str, line: str, answer: Answer) -> None:
        """Append a line and sync it to the disk before the answer counts as recorded."""
        with self.lock, self.path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            self.recorded[key] = answer

    @property
    def about(self) -> Mapping[str, Any]:
        """Return the file's name, the number of answers that the run used, and their hash.

        The hash covers keys and texts in the keys' order. It depends neither on the order in which
        answers arrived nor on the time that they took.
        """
        lines = (f"{key} {self.recorded[key].text}" for key in sorted(self.used))
        return {"file": self.path.name, "answers": len(self.used), "content": sha256_lines(lines)}


def _drop_torn_line(path: Path) -> None:
    """Cut off a last line that a killed process did not finish."""
    with path.open("r+b") as file:
        data = file.read()
        end = data.rfind(b"\n") + 1
        if end < len(data):
            file.truncate(end)
