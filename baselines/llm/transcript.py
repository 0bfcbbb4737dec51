"""Every call kept in a file: a killed run repeats none of them, and the file alone is the model."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from baselines.llm.model import Answer, LanguageModel
from baselines.llm.prompt import Message, Prompt
from resrank.collections.jsonl import DataError, read_jsonl, text_field


class Recorded:
    """A model whose answers are written down as they come, and looked up before it is asked.

    A call is known by its prompt, the model's parameters and the length asked for.
    """

    def __init__(self, model: LanguageModel, path: Path) -> None:
        self.model = model
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        _drop_torn_line(path)
        self.known = read_transcript(path) if path.exists() else {}

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The model's."""
        return self.model.parameters

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int
    ) -> Iterator[tuple[int, Answer]]:
        """Yield known answers, then new ones, each written down before it is handed out."""
        keys = [call_key(self.parameters, p, max_new_tokens) for p in prompts]
        first: dict[str, int] = {}
        for place, key in enumerate(keys):
            first.setdefault(key, place)
        asked = [place for key, place in first.items() if key not in self.known]
        found = self.model.answers([prompts[place] for place in asked], max_new_tokens)
        with self.path.open("a", encoding="utf-8") as file:
            for number, answer in found:
                place = asked[number]
                row = {
                    "key": keys[place],
                    "prompt": [message._asdict() for message in prompts[place]],
                    "max_new_tokens": max_new_tokens,
                    "parameters": dict(self.parameters),
                    **asdict(answer),
                }
                file.write(json.dumps(row, ensure_ascii=True) + "\n")
                file.flush()
                os.fsync(file.fileno())
                self.known[keys[place]] = answer
        for place, key in enumerate(keys):
            yield place, self.known[key]


class Replay:
    """A transcript in place of the model that it was written with."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.by_prompt: dict[tuple[Prompt, int], Answer] = {}
        self._parameters: Mapping[str, Any] = {}
        for number, row in read_jsonl(path):
            where = f"{path}:{number}"
            prompt, length, parameters = _call(row, where)
            self.by_prompt[prompt, length] = _answer(row, where)
            if self._parameters not in ({}, parameters):
                raise DataError(f"{where}: answers of another model or other parameters")
            self._parameters = parameters

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Those of the model that answered."""
        return self._parameters

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int
    ) -> Iterator[tuple[int, Answer]]:
        """Yield each prompt's recorded answer. DataError if one was never asked."""
        for place, prompt in enumerate(prompts):
            found = self.by_prompt.get((prompt, max_new_tokens))
            if found is None:
                raise DataError(
                    f"{self.path} holds no answer to the prompt that begins "
                    f"{prompt[-1].content[:80]!r}; replay with the candidates, prompt, window and "
                    "length of answer that it was recorded with"
                )
            yield place, found


class InOrder:
    """Answers recorded elsewhere, `{"prompt", "response"}` a line, handed out in their order.

    query: set by who replays, the text of the query whose answers come next; a recorded prompt
    that does not hold it was another query's.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = [
            (n, text_field(row, "response", f"{path}:{n}"), row.get("prompt"))
            for n, row in read_jsonl(path)
        ]
        self.used = 0
        self.query = ""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The file."""
        return {"responses": self.path.name}

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int
    ) -> Iterator[tuple[int, Answer]]:
        """Yield the next answers. DataError if there are no more."""
        for place in range(len(prompts)):
            if self.used == len(self.rows):
                raise DataError(
                    f"{self.path} holds {len(self.rows)} answers, fewer than there are windows; "
                    "check --window, --step, --depth and --candidates"
                )
            number, text, asked = self.rows[self.used]
            if isinstance(asked, str) and not _asks(asked, self.query):
                raise DataError(
                    f"{self.path}:{number}: the recorded prompt does not hold the query "
                    f"{self.query!r}; these are answers for other candidates, or in another order"
                )
            self.used += 1
            yield place, Answer(text, 0, 0)


def _asks(prompt: str, query: str) -> bool:
    """Whether a prompt holds a query, as it stands or with its encoding repaired."""
    import ftfy

    return query in prompt or ftfy.fix_text(query) in prompt


def call_key(parameters: Mapping[str, Any], prompt: Prompt, max_new_tokens: int) -> str:
    """SHA-256 of all that an answer depends on."""
    about = json.dumps([dict(parameters), prompt, max_new_tokens], sort_keys=True, default=str)
    return hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()


def read_transcript(path: Path) -> dict[str, Answer]:
    """Key -> answer. DataError names a line that is no record."""
    return {
        text_field(row, "key", f"{path}:{n}"): _answer(row, f"{path}:{n}")
        for n, row in read_jsonl(path)
    }


def _call(row: Mapping[str, Any], where: str) -> tuple[Prompt, int, Mapping[str, Any]]:
    """Prompt, length of the answer asked for, and the model's parameters."""
    try:
        prompt = tuple(Message(str(m["role"]), str(m["content"])) for m in row["prompt"])
        return prompt, int(row["max_new_tokens"]), dict(row["parameters"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where}: not a record of a call ({error!r})") from error


def _answer(row: Mapping[str, Any], where: str) -> Answer:
    try:
        return Answer(
            str(row["text"]), int(row["prompt_tokens"]), int(row["generated_tokens"]),
            float(row["seconds"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where}: not a record of a call ({error!r})") from error


def _drop_torn_line(path: Path) -> None:
    """Cut off a last line that a killed process did not finish."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        data = file.read()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            file.truncate(whole)
