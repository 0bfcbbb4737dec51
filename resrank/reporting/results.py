"""Reading a suite's result files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from resrank.io.manifest import manifest_of, read_checked_json
from resrank.io.parquet import read_columns
from resrank.io.run import USAGE, usage_of
from resrank.suite.resolved import Resolved


def read_json(path: Path) -> Any:
    """Read a result file. FileNotFoundError names the command that makes it."""
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; run `snakemake --cores 2 all` to make it")
    return read_checked_json(path)


def read_comparison(root: Path) -> pd.DataFrame:
    """Read the table `comparison`; in a file of an earlier version no system is a companion."""
    frame = pd.read_csv(root / "tables" / "comparison.csv")
    return frame if "companion" in frame else frame.assign(companion=False)


def read_usage(
    resolved: Resolved, root: Path, dataset: str, stage: str, system: str
) -> pd.DataFrame:
    """Read what a system's rankings consumed, one row per query and seed."""
    runs = _runs(resolved, root, dataset, stage, system)
    usage: pd.DataFrame = pd.concat(
        [read_columns(usage_of(run), USAGE.names).to_pandas() for run in runs]
    )
    return usage


def read_tokenizers(
    resolved: Resolved, root: Path, dataset: str, stage: str, system: str
) -> dict[str, Any]:
    """Read which tokenizers counted a system's tokens; the part of the runs' manifests on them."""
    manifests = map(manifest_of, _runs(resolved, root, dataset, stage, system))
    parts = (read_json(path).get("tokenizers", {}) for path in manifests if path.is_file())
    return {"tokenizers": {model: about for part in parts for model, about in part.items()}}


def _runs(resolved: Resolved, root: Path, dataset: str, stage: str, system: str) -> list[Path]:
    folder = root / "runs" / dataset / stage / system
    return [folder / f"seed{seed}.trec" for seed in resolved.seeds_of(system)]
