"""`python -m resrank <verb>`: the verbs, and how an error is shown."""

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
    help="""Rerank, score and time: the stages of the resrank harness, one verb each.

    Most people run the whole DAG with `snakemake --cores 2 all`. By hand, start with

    `python -m resrank evaluate --qrels qrels.txt --run my.run --metric nDCG@10`
    """,
)


@app.callback()
def before(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version and leave.",
                           callback=lambda asked: _show_version(asked))
    ] = False,
) -> None:  # fmt: skip
    """What stands in front of a verb."""


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"resrank {version('resrank')}")
        raise typer.Exit


# In the order in which --help shows them.
VERBS: list[Callable[..., None]] = [
    tools.evaluate,
    jobs.fetch,
    jobs.collect,
    jobs.candidates,
    tools.export_candidates,
    jobs.encode,
    jobs.train,
    jobs.rerank,
    jobs.merge_runs,
    jobs.measure,
    jobs.sensitivity,
    jobs.score,
    jobs.significance,
    jobs.calibration,
    jobs.report,
    jobs.page,
    tools.compare,
    tools.export,
    tools.claims,
    tools.plan,
    tools.growth,
    tools.collections,
    tools.replay,
    tools.readme,
]
for verb in VERBS:
    app.command()(verb)


def main() -> None:
    """Run a verb; an error that names its cause is shown without a traceback."""
    from pydantic import ValidationError

    end_with_owner()
    if not sys.stderr.isatty():  # a log needs no bar that is drawn ten times a second
        os.environ.setdefault("TQDM_MININTERVAL", "15")
    try:
        app()
    except ValidationError as error:
        from resrank.io.yaml import explain

        sys.exit(f"error: {explain(error, '')}")
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
