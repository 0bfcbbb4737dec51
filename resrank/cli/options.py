"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resrank.io.atomic import check_writable

SuiteFile = Annotated[
    Path,
    typer.Option(
        "--suite",
        help="The suite's YAML file: your own, or `results/<suite>/suite.yaml`, which the "
        "workflow writes.",
        show_default=False,
    ),
]
CollectionName = Annotated[
    str, typer.Option("--collection", help="Name of a collection.", show_default=False)
]
StageName = Annotated[
    str, typer.Option("--first-stage", help="Name of a first stage.", show_default=False)
]
SystemName = Annotated[str, typer.Option("--system", help="Name of a system.", show_default=False)]
TrainingSeed = Annotated[
    int | None, typer.Option("--seed", help="Seed of training; default: the system's first.")
]
ShardName = Annotated[
    str, typer.Option("--shard", help="Share of a job that the suite splits: 0of7, ..., 6of7.")
]
CandidatesFile = Annotated[
    Path,
    typer.Option("--candidates", help="Parquet that `job candidates` wrote.", show_default=False),
]
# Whether the output can be written is checked at once, not after the work.
Out = Annotated[
    Path, typer.Option(help="What to write.", show_default=False, callback=check_writable)
]
