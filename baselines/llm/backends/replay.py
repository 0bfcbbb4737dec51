"""Answers that were recorded earlier, in place of the model that gave them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from baselines.llm.interface import Answer, Keep, Prompt, drop
from baselines.llm.options import ReplayOptions, transcripts
from baselines.llm.transcript import read_answer, read_call, read_rows, transcript_path
from resrank.io.text import DataError

ABSENT = "not stated"


class Replay:
    """A transcript in place of the model that it was written with."""

    def __init__(self, options: ReplayOptions) -> None:
        self.options = options
        self.path = fitting(options)
        self.by_prompt: dict[Prompt, Answer] = {}
        self.parameters: dict[str, Any] = {}
        self.seconds = 0.0  # that the answers so far took when they were given
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
        """Yield each prompt's recorded answer. DataError if one was never asked."""
        recorded = self.parameters.get("max_new_tokens", ABSENT)
        if prompts and recorded != max_new_tokens:
            raise DataError(
                f"{self.path} was recorded with max_new_tokens {recorded}, asked for are "
                f"{max_new_tokens}; set `max_new_tokens: {recorded}`"
            )
        for place, prompt in enumerate(prompts):
            found = self.by_prompt.get(prompt)
            if found is None:
                raise DataError(
                    f"{self.path} holds {len(self.by_prompt)} answers, but none to the prompt that "
                    f"begins {prompt[-1].content[:80]!r}; {self._elsewhere(prompt)}"
                )
            self.seconds += found.seconds
            keep(place, found)
            yield place, found

    def clock(self) -> int:
        """A clock in nanoseconds that goes on by the answers' recorded times."""
        return round(self.seconds * 1e9)

    def _elsewhere(self, prompt: Prompt) -> str:
        """Which transcript beside this one holds a prompt, or what to do if none does."""
        for path in transcripts(self.path.parent):
            rows = [] if path == self.path else [row for _, row in read_rows(path)]
            for row in rows:
                other, parameters = read_call(row, str(path))
                if other == prompt:
                    said = _differences([self.parameters, parameters])[1]
                    return f"{path.name} holds one, recorded with {said}"
        return "replay with the candidates, prompt and window that it was recorded with"


def recorded_by(run: Path | None, parameters: Mapping[str, Any]) -> Replay:
    """What was recorded beside a run under these parameters. DataError if nothing was."""
    path = transcript_path(run, parameters) if run is not None else None
    if path is None or not path.exists():
        raise DataError(
            f"no {path or 'run is named, whose transcript'} says what an endpoint's answers took, "
            "and it is not asked again only to be timed; rerank first with the same options, and "
            "name that run (`--run`)"
        )
    return Replay(ReplayOptions(kind="replay", transcript=path))


def fitting(options: ReplayOptions) -> Path:
    """The one transcript that the options name. DataError says which there are, how they differ."""
    path = options.transcript
    found = transcripts(path if path.exists() else path.parent)
    about = [_parameters(path) for path in found]
    wanted = options.recorded_with
    fits = [
        file
        for file, known in zip(found, about, strict=True)
        if path.exists() and all(known.get(n, ABSENT) == value for n, value in wanted.items())
    ]
    if len(fits) == 1:
        return fits[0]
    said = zip(found, _differences(about, set(wanted)), strict=True)
    there = "".join(f"\n  {file.name}: {differs}" for file, differs in said) or " none"
    asked = f" recorded with {_shown(wanted)}" if wanted else ""
    raise DataError(
        f"{path} names {len(fits)} transcripts{asked}, but one is needed; name a file, or say in "
        f"`recorded_with` how it differs from the others. There are:{there}"
    )


def _parameters(path: Path) -> dict[str, Any]:
    """What a transcript was recorded with, as its first line says."""
    for number, row in read_rows(path):
        return read_call(row, f"{path}:{number}")[1]
    return {}


def _differences(about: Sequence[Mapping[str, Any]], shown: set[str] | None = None) -> list[str]:
    """Each one's values of what not all have alike, and of the names to be shown anyway.

    Of one by itself, all.
    """
    names = sorted({name for known in about for name in known} | (shown or set()))
    told = [
        name
        for name in names
        if name in (shown or ())
        or len(about) == 1
        or any(k.get(name) != about[0].get(name) for k in about)
    ]
    return [_shown({name: known.get(name, ABSENT) for name in told}) for known in about]


def _shown(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "the same parameters"
