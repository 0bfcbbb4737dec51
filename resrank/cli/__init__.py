"""`python -m resrank <verb>`: the verbs, and how an error is printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from resrank.cli import jobs, tools
from resrank.jobs.parent_process import end_with_owner

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="""Rerank, score and time: the resrank harness.

    Most people run a whole suite with `snakemake --cores 2 all`. Without a suite, start with

    `python -m resrank evaluate --qrels qrels.txt --run my.run --metric nDCG@10`

    `python -m resrank job --help` lists what the workflow runs, one command per stage.
    """,
)


@app.callback()
def options_before_the_verb(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version and leave.",
                           callback=lambda value: _print_version(value))
    ] = False,
) -> None:  # fmt: skip
    """Take the options that stand before a verb."""


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"resrank {version('resrank')}")
        raise typer.Exit


VERBS: list[Callable[..., None]] = [
    tools.evaluate,
    tools.compare,
    tools.plan,
    tools.export,
    tools.export_candidates,
    tools.growth,
    tools.claims,
    tools.collections,
    tools.model,
    tools.replay,
    tools.page,
    tools.readme,
]
"""In the order of --help."""
for verb in VERBS:
    app.command()(verb)
app.add_typer(jobs.app, name="job")


def main() -> None:
    """Run a verb; an error that names its cause is printed without a traceback."""
    from pydantic import ValidationError

    end_with_owner()
    if not sys.stderr.isatty():  # a log needs no progress bar that is drawn ten times per second
        os.environ.setdefault("TQDM_MININTERVAL", "15")
    try:
        app()
    except ValidationError as error:
        from resrank.io.yaml import explain

        sys.exit(f"error: {explain(error, '')}")
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
