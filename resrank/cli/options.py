"""Options that several verbs have, and what their text holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from resrank.io.atomic import check_writable

CollectionDir = Annotated[
    Path, typer.Option("--collection", help="Folder that `collect` wrote.", show_default=False)
]
CandidatesFile = Annotated[
    Path, typer.Option("--candidates", help="Parquet that `candidates` wrote.", show_default=False)
]
Name = Annotated[str, typer.Option(help="The system's name.", show_default=False)]
Spec = Annotated[
    str, typer.Option(help="The entry of the configuration, as JSON.", show_default=False)
]
# What is written is tried at once: a job of hours must not find out at its end.
Out = Annotated[
    Path, typer.Option(help="What to write.", show_default=False, callback=check_writable)
]
Seed = Annotated[int, typer.Option(help="Seed of training; 0 for an untrained system.")]
Model = Annotated[Path | None, typer.Option(help="Folder that `train` wrote.")]
Parts = Annotated[
    list[Path] | None,
    typer.Option("--part", help="Manifest of a trained model that the system stands on."),
]
Store = Annotated[
    Path,
    typer.Option(
        help="Folder of passage embeddings that systems share.", show_default=False,
        callback=check_writable,
    ),
]  # fmt: skip

ShardName = Annotated[
    str, typer.Option("--shard", help="The share of a job that is split: 0of7, ..., 6of7.")
]
ShardStores = Annotated[
    list[Path] | None,
    typer.Option("--shard-store", help="Embeddings that a shard has made; repeated, in order."),
]


def system(spec: str) -> Any:
    """A system's entry, from `--spec`."""
    from resrank.suite.schema import System

    return System.model_validate(json_of(spec, "--spec"))


RUNS_SHOWN = "[[system, seed, run file], ...]"


def runs_of(runs: str) -> dict[tuple[str, int], Path]:
    """Run files by system and seed, from `--runs`."""
    named = json_of(runs, "--runs", list[tuple[str, int, Path]], RUNS_SHOWN)
    return {(system, seed): path for system, seed, path in named}


def json_of(text: str, option: str, form: Any = dict, shown: str = "an object, {...}") -> Any:
    """An option's JSON. ValueError that names the option, the place and what was given.

    form: the type that it must have; shown: that type in words.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        said = str(error)
        if isinstance(error, json.JSONDecodeError):
            said = f"{error.msg}, character {error.pos + 1}"
        raise ValueError(
            f"{option}: {text!r} is not JSON ({said}); give {shown}, in single quotes so that the "
            "shell leaves it alone"
        ) from error
    try:
        return TypeAdapter(form).validate_python(value)
    except ValidationError as error:
        raise ValueError(f"{option}: {text!r} is of another form; give {shown}") from error
