"""A suite's results against the published figures: which stand in its folder, and the verdicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from resrank.evaluation.all_pairs import read_scores, seed_values
from resrank.evaluation.claims import (
    Claim,
    Judgement,
    Measured,
    Source,
    SuiteResult,
    counts,
    judge,
)
from resrank.evaluation.significance import Values
from resrank.io.parquet import column_names, read_columns
from resrank.io.yaml import read_source
from resrank.reporting.results import read_json
from resrank.reporting.tables.write import Column, write_table
from resrank.suite.load import CONFIG_DIR, ConfigError, Resolved
from resrank.suite.schema import Suite

FOLDER = CONFIG_DIR / "claims"
COLUMNS = {
    "system": Column("published for"), "conditions": Column("on"), "quantity": Column("of"),
    "published": Column("published", 4), "measured": Column("measured", 4),
    "difference": Column("difference", 4), "low": Column("from", 4), "high": Column("to", 4),
    "tolerance": Column("tolerance", 4), "verdict": Column("verdict"), "source": Column("source"),
}  # fmt: skip
CAPTION = (
    "Published figures: {counts}. Difference: measured minus published, with its 95% bootstrap "
    "interval over queries. Reproduced: the difference is within the tolerance. Within noise: "
    "beyond it, but the interval holds 0."
)
OTHERS = " {count} more are about other collections or systems than this suite's and left out."


class NotRun(Exception):
    """A result that a suite's folder does not hold; says what is missing."""


def read_claims(folder: Path = FOLDER) -> dict[str, tuple[str, Claim]]:
    """Every claim by name, with its source. Raises ConfigError on a file that holds none."""
    found: dict[str, tuple[str, Claim]] = {}
    for path in sorted(folder.glob("*.yaml")):
        source = read_source(Source, path)
        for name, claim in source.claims.items():
            if name in found:
                raise ConfigError(f"{path}: claim {name!r} stands in another file too; rename it")
            found[name] = (source.source, claim)
    if not found:
        raise ConfigError(f"no claims in {folder}; it should hold <source>.yaml files")
    return found


def judge_all(root: Path) -> pd.DataFrame:
    """A row a claim. Raises FileNotFoundError if `root` holds no scores."""
    if not any(root.glob("scores/*/*.parquet")):
        raise FileNotFoundError(
            f"no scores under {root}; --root is the folder results/<suite> of a suite that has run"
        )
    rows = []
    for name, (source, claim) in read_claims().items():
        about = {"claim": name, "system": claim.system, "conditions": claim.conditions,
                 "quantity": claim.quantity, "published": claim.value}  # fmt: skip
        where = {"source": f"{source}: {claim.where}", "tolerance_from": claim.tolerance_from}
        rows.append(about | verdict(claim, root)._asdict() | where)
    return pd.DataFrame(rows)


def verdict(claim: Claim, root: Path) -> Judgement:
    """The judgement of the first of a claim's results that is there."""
    reasons = [claim.not_run] if claim.not_run else []
    for result in claim.results:
        try:
            return judge(claim, measured(claim.quantity, result, root))
        except NotRun as missing:
            reasons.append(str(missing))
    return Judgement(f"not run ({'; '.join(reasons)})")


def measured(quantity: str, result: SuiteResult, root: Path) -> Measured:
    """A result's values on each of its collections. Raises NotRun if they are not what is asked."""
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
        values = _used(root / "runs" / dataset / stage / result.system, quantity)
    if values is None:
        raise NotRun(f"no {quantity} of {result.system} on {dataset}")
    if values.shape[-1] != queries:
        raise NotRun(f"{dataset}: {values.shape[-1]} queries, not {queries}")
    return values


def _used(folder: Path, column: str) -> Values | None:
    """What a system's rankings consumed, (seeds, queries); None if it has no such run or column."""
    files = sorted(folder.glob("seed*.usage.parquet"))
    if not files or column not in column_names(files[0]):
        return None
    return np.array([read_columns(f, [column])[column].to_numpy() for f in files], float)


def write_claims(resolved: Resolved, root: Path, note: str) -> list[Path]:
    """Write the table `claims`: those that the suite could answer, and how many it could not."""
    everything = judge_all(root)
    frame = everything[everything["claim"].isin(about(resolved.given))].reset_index(drop=True)
    said = note + CAPTION.format(counts=_counted(frame) or "none on this suite's collections")
    if left := len(everything) - len(frame):
        said += OTHERS.format(count=left)
    return write_table(root / "tables", "claims", frame, COLUMNS, [], said)


def about(suite: Suite) -> set[str]:
    """The claims that a suite could answer: of its systems on its collections, skipped ones too.

    A figure that no result of this project can answer stands with the others of its source.
    """
    known = read_claims()
    own = {
        name
        for name, (_, claim) in known.items()
        for result in claim.results
        if result.system in suite.systems and set(result.collections) <= set(suite.collections)
    }
    sources = {known[name][0] for name in own}
    return own | {n for n, (source, claim) in known.items() if claim.not_run and source in sources}


def claims_text(frame: pd.DataFrame, all_of_them: bool) -> str:
    """A line a claim that was run, or a line each, and how many have which verdict."""
    shown = frame if all_of_them else frame[frame["measured"].notna()]
    lines = []
    for row in shown.to_dict("records"):
        figures = f"published {row['published']:.4f}"
        if pd.notna(row["measured"]):
            figures += (
                f", measured {row['measured']:.4f}, difference {row['difference']:+.4f} "
                f"[{row['low']:+.4f}, {row['high']:+.4f}], tolerance {row['tolerance']:.4f}"
            )
        lines.append(f"{row['claim']}: {row['verdict']}. {row['quantity']}: {figures}")
    return "\n".join([*lines, _counted(frame)])


def _counted(frame: pd.DataFrame) -> str:
    found = counts(frame["verdict"].tolist())
    return ", ".join(f"{count} {kind}" for kind, count in found.items())
