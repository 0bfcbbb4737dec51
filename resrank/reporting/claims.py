"""Claims of config/claims, judged by the results in a suite's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from resrank.evaluation.claims import Claim, Judgement, Measured, Source, SuiteResult, judge
from resrank.evaluation.resampling import Values
from resrank.evaluation.seed_scores import read_scores, seed_values
from resrank.io.parquet import column_names, read_columns
from resrank.io.shipped_files import shipped
from resrank.io.yaml import ConfigError, read_source
from resrank.reporting.results import read_json


class NotRun(Exception):
    """A suite's folder does not hold the result; the message names what is missing."""


def read_claims(folder: Path | None = None) -> dict[str, tuple[str, Claim]]:
    """Return every claim by name, with its source.

    folder: config/claims/ if None. Raises ConfigError if the folder has no claims or two claims
    share a name.
    """
    folder = folder or shipped("claims")
    claims: dict[str, tuple[str, Claim]] = {}
    for path in sorted(folder.glob("*.yaml")):
        source = read_source(Source, path)
        for name, claim in source.claims.items():
            if name in claims:
                raise ConfigError(f"{path}: claim {name!r} is also in another file; rename it")
            claims[name] = (source.source, claim)
    if not claims:
        raise ConfigError(f"no claims in {folder}; it should hold <source>.yaml files")
    return claims


def judge_all(root: Path) -> pd.DataFrame:
    """Return one row per claim. Raises FileNotFoundError if `root` holds no scores."""
    if not any(root.glob("scores/*/*.parquet")):
        raise FileNotFoundError(
            f"no scores under {root}; --root is the folder results/<suite> of a suite that has run"
        )
    rows = []
    for name, (source, claim) in read_claims().items():
        row = {
            "claim": name,
            "system": claim.system,
            "conditions": claim.conditions,
            "quantity": claim.quantity,
            "published": claim.value,
        }
        row |= verdict(claim, root)._asdict()
        row |= {"source": f"{source}: {claim.where}", "tolerance_from": claim.tolerance_from}
        rows.append(row)
    return pd.DataFrame(rows)


def verdict(claim: Claim, root: Path) -> Judgement:
    """Return the judgement of the first of a claim's results that is present."""
    reasons = [claim.not_run] if claim.not_run else []
    for result in claim.results:
        try:
            return judge(claim, measured(claim.quantity, result, root))
        except NotRun as missing:
            reasons.append(str(missing))
    return Judgement(f"not run ({'; '.join(reasons)})")


def measured(quantity: str, result: SuiteResult, root: Path) -> Measured:
    """Return a result's values on each of its collections.

    Raises NotRun if one is missing, or has other candidates or queries than the claim.
    """
    return Measured(
        [
            _values(quantity, result, dataset, queries, root)
            for dataset, queries in result.collections.items()
        ]
    )


def _values(quantity: str, result: SuiteResult, dataset: str, queries: int, root: Path) -> Values:
    stage = result.first_stage
    scores = root / "scores" / dataset / f"{stage}.parquet"
    if not scores.is_file():
        raise NotRun(f"no {dataset} under {stage}")
    depth = read_json(root / "candidates" / dataset / f"{stage}.manifest.json")["depth"]
    if depth != result.depth:
        raise NotRun(f"{dataset}: {depth} candidates, not {result.depth}")
    values = seed_values(read_scores(scores, quantity), quantity).get(result.system)
    if values is None:
        values = _usage(root / "runs" / dataset / stage / result.system, quantity)
    if values is None:
        raise NotRun(f"no {quantity} of {result.system} on {dataset}")
    if values.shape[-1] != queries:
        raise NotRun(f"{dataset}: {values.shape[-1]} queries, not {queries}")
    return values


def _usage(folder: Path, column: str) -> Values | None:
    """Return a system's usage counter, (seeds, queries); None if it has no such run or column."""
    files = sorted(folder.glob("seed*.usage.parquet"))
    if not files or column not in column_names(files[0]):
        return None
    return np.array([read_columns(f, [column])[column].to_numpy() for f in files], float)
