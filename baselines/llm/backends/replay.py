"""Recorded answers in place of the model that gave them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from baselines.llm.interface import Answer, Keep, Prompt, drop
from baselines.llm.options import ReplayOptions, transcripts
from baselines.llm.transcript_files import read_answer, read_call, read_rows, transcript_path
from resrank.io.text import DataError

ABSENT = "not stated"


class ReplayModel:
    """A transcript in place of the model that it was recorded with."""

    def __init__(self, options: ReplayOptions) -> None:
        self.options = options
        self.path = matching_transcript(options)
        self.by_prompt: dict[Prompt, Answer] = {}
        self.parameters: dict[str, Any] = {}
        self.seconds = 0.0  # that the answers yielded so far took when they were recorded
        for number, row in read_rows(self.path):
            where = f"{self.path}:{number}"
            prompt, parameters = read_call(row, where)
            self.by_prompt[prompt] = read_answer(row, where)
            if self.parameters not in ({}, parameters):
                raise DataError(
                    f"{where}: answers of another model or other parameters: "
                    f"{_differences([self.parameters, parameters])[1]}"
                )
            self.parameters = parameters

    def answers(
        self, prompts: Sequence[Prompt], max_new_tokens: int, keep: Keep = drop
    ) -> Iterator[tuple[int, Answer]]:
        """Yield each prompt's recorded answer. DataError if a prompt has none."""
        recorded = self.parameters.get("max_new_tokens", ABSENT)
        if prompts and recorded != max_new_tokens:
            raise DataError(
                f"{self.path} was recorded with max_new_tokens {recorded}, but {max_new_tokens} "
                f"is requested; set `max_new_tokens: {recorded}`"
            )
        for place, prompt in enumerate(prompts):
            answer = self.by_prompt.get(prompt)
            if answer is None:
                raise DataError(
                    f"{self.path} holds {len(self.by_prompt)} answers, but none to the prompt that "
                    f"begins {prompt[-1].content[:80]!r}; {self._advice(prompt)}"
                )
            self.seconds += answer.seconds
            keep(place, answer)
            yield place, answer

    def clock(self) -> int:
        """Return the recorded time of all answers yielded so far, in nanoseconds."""
        return round(self.seconds * 1e9)

    def _advice(self, prompt: Prompt) -> str:
        """Name the neighbouring transcript that holds a prompt, or say what to do without one."""
        for path in transcripts(self.path.parent):
            rows = [] if path == self.path else [row for _, row in read_rows(path)]
            for row in rows:
                other, parameters = read_call(row, str(path))
                if other == prompt:
                    values = _differences([self.parameters, parameters])[1]
                    return f"{path.name} holds one, recorded with {values}"
        return "replay with the candidates, prompt and window that it was recorded with"


def replay_beside(run: Path | None, parameters: Mapping[str, Any]) -> ReplayModel:
    """Open the transcript beside a run for these parameters. DataError if there is none."""
    path = transcript_path(run, parameters) if run is not None else None
    if path is None or not path.exists():
        raise DataError(
            f"no {path or 'run is named, whose transcript'} holds the times of an endpoint's "
            "answers, and it is not asked again only to be timed; rerank first with the same "
            "options (`job rerank`)"
        )
    return ReplayModel(ReplayOptions(kind="replay", transcript=path))


def matching_transcript(options: ReplayOptions) -> Path:
    """Return the one transcript that matches the options.

    DataError lists the transcripts and their differences if none or several match.
    """
    path = options.transcript
    files = transcripts(path if path.exists() else path.parent)
    parameters = [_parameters(file) for file in files]
    wanted = options.recorded_with
    matches = [
        file
        for file, values in zip(files, parameters, strict=True)
        if path.exists() and all(values.get(n, ABSENT) == value for n, value in wanted.items())
    ]
    if len(matches) == 1:
        return matches[0]
    differences = _differences(parameters, set(wanted))
    listed = (f"\n  {file.name}: {values}" for file, values in zip(files, differences, strict=True))
    condition = f" recorded with {_describe(wanted)}" if wanted else ""
    raise DataError(
        f"{path} names {len(matches)} transcripts{condition}, but one is needed; name a file, or "
        "state in `recorded_with` how it differs from the others. There are:"
        f"{''.join(listed) or ' none'}"
    )


def _parameters(path: Path) -> dict[str, Any]:
    """Return the parameters in a transcript's first line; nothing if the file is empty."""
    for number, row in read_rows(path):
        return read_call(row, f"{path}:{number}")[1]
    return {}


def _differences(about: Sequence[Mapping[str, Any]], always: set[str] | None = None) -> list[str]:
    """Describe each transcript by the parameters that differ between them.

    always: names to list even if they do not differ. A single transcript is described by all.
    """
    names = sorted({name for values in about for name in values} | (always or set()))
    listed = [
        name
        for name in names
        if name in (always or ())
        or len(about) == 1
        or any(values.get(name) != about[0].get(name) for values in about)
    ]
    return [_describe({name: values.get(name, ABSENT) for name in listed}) for values in about]


def _describe(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "the same parameters"
