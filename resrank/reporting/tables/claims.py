"""The table `claims`: a suite's results compared with published figures, and the verdicts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.evaluation.verdicts import counts
from resrank.reporting.claims import judge_all, read_claims
from resrank.reporting.tables.column import Column
from resrank.reporting.tables.write import write_table
from resrank.suite.resolved import Resolved
from resrank.suite.schema import Suite

COLUMNS = {
    "system": Column("published for"),
    "conditions": Column("on"),
    "first_stage": Column("first stage"),
    "prompt": Column("prompt"),
    "quantity": Column("of"),
    "published": Column("published", 4),
    "measured": Column("measured", 4),
    "queries": Column("over queries"),
    "other_denominator": Column("over the others", 4),
    "difference": Column("difference", 4),
    "low": Column("from", 4),
    "high": Column("to", 4),
    "tolerance": Column("tolerance", 4),
    "verdict": Column("verdict"),
    "source": Column("source"),
}
CAPTION = (
    "Published figures: {counts}. Over queries: the denominator of the published mean; the others: "
    "the measured mean over the queries that it does not count by, all judged ones or those with "
    "candidates, where these differ. Difference: measured minus published, with its 95% bootstrap "
    "interval over queries, paired where the source's run is at hand. Reproduced: the difference "
    "is within the tolerance. Prompt: its name and the start of its hash; a run with another one "
    "is not comparable."
)
OTHERS = " {count} others are about collections or systems outside this suite and are left out."


def write_claims(resolved: Resolved, root: Path, title: str) -> list[Path]:
    """Write the table `claims`: those that the suite could answer, and the number of the others."""
    everything = judge_all(root)
    frame = everything[everything["claim"].isin(about(resolved.given))].reset_index(drop=True)
    counted = verdict_counts(frame) or "none on this suite's collections"
    caption = title + CAPTION.format(counts=counted)
    if others := len(everything) - len(frame):
        caption += OTHERS.format(count=others)
    return write_table(root / "tables", "claims", frame, COLUMNS, [], caption)


def about(suite: Suite) -> set[str]:
    """Return the claims about a suite's systems on its collections, skipped ones included.

    Claims of the same sources that no result of this project can answer are included too.
    """
    claims = read_claims()
    answerable = {
        name
        for name, (_, claim) in claims.items()
        for result in claim.results
        if result.system in suite.systems and set(result.collections) <= set(suite.collections)
    }
    sources = {claims[name][0] for name in answerable}
    return answerable | {
        name for name, (source, claim) in claims.items() if claim.not_run and source in sources
    }


def claims_text(frame: pd.DataFrame, include_not_run: bool) -> str:
    """Return one line per claim, those not run only if wanted, and the number of each verdict."""
    listed = frame if include_not_run else frame[frame["measured"].notna()]
    lines = []
    for row in listed.to_dict("records"):
        figures = f"published {row['published']:.4f}"
        if pd.notna(row["measured"]):
            figures += (
                f", measured {row['measured']:.4f}{_denominators(row)}, "
                f"difference {row['difference']:+.4f} "
                f"[{row['low']:+.4f}, {row['high']:+.4f}], tolerance {row['tolerance']:.4f}"
            )
        lines.append(f"{row['claim']}: {row['verdict']}. {row['quantity']}: {figures}")
    return "\n".join([*lines, verdict_counts(frame)])


def _denominators(row: Mapping[Hashable, Any]) -> str:
    """Return the queries that the measured mean is over, and the mean over the others, if any."""
    if not isinstance(row["queries"], str):
        return ""
    other = row["other_denominator"]
    others = f"; over the others {other:.4f}" if pd.notna(other) else ""
    return f" (over {row['queries']}{others})"


def verdict_counts(frame: pd.DataFrame) -> str:
    """Return how many claims have each verdict, as text."""
    by_verdict = counts(frame["verdict"].tolist())
    return ", ".join(f"{count} {kind}" for kind, count in by_verdict.items())
