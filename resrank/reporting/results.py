"""Reading a suite's result files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.evaluation.all_pairs import corrected_together
from resrank.io.manifest import manifest_of, read_checked_json
from resrank.io.parquet import read_columns
from resrank.io.run import USAGE, usage_of
from resrank.suite.resolved import Resolved

Statistics = Mapping[tuple[str, str], Mapping[str, Any]]
"""(collection, first stage) -> the statistics that `significance` wrote."""


def read_json(path: Path) -> Any:
    """Read a result file. FileNotFoundError names the command that makes it."""
    if not path.is_file():
        raise FileNotFoundError(f"no {path}; run `snakemake --cores 2 all` to make it")
    return read_checked_json(path)


def read_statistics(resolved: Resolved, root: Path) -> Statistics:
    """Read the statistics of each candidate set; an ablation's tests are corrected over all."""
    statistics = {
        (dataset, stage): read_json(root / "statistics" / dataset / f"{stage}.json")
        for dataset, stage in resolved.pairs
    }
    return with_corrected_ablation(statistics)


def with_corrected_ablation(statistics: Statistics) -> Statistics:
    """Return the statistics with `p_holm` in the ablation's tests, one family over all sets."""
    sets = [(pair, test) for pair, results in statistics.items() for test in results["ablation"]]
    corrected = corrected_together([test for _, test in sets])
    by_set: dict[tuple[str, str], list[dict[str, Any]]] = {pair: [] for pair in statistics}
    for (pair, _), test in zip(sets, corrected, strict=True):
        by_set[pair].append(test)
    return {pair: {**results, "ablation": by_set[pair]} for pair, results in statistics.items()}


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
