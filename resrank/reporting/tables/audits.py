"""The table `audits`: counts of what could make a run's score wrong."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from resrank.reporting.results import read_json
from resrank.reporting.tables.column import Column, label_for_system
from resrank.reporting.tables.write import write_table
from resrank.suite.resolved import Resolved

COUNTS = {
    "missing_queries": "missing queries",
    "unjudged_queries": "not judged",
    "short_lists": "short lists",
    "ties_top10": "ties in first 10",
    "tied_scores": "equal scores",
    "unjudged_top10": "unjudged in first 10",
    "truncated_passages": "passages cut",
    "repaired_answers": "answers repaired",
    "rejected_answers": "rejected",
}
CAPTION = (
    "Counted over judged queries. Missing: not in the run, counted as 0. Not judged: in the run, "
    "left out. Short: lists of fewer candidates than the depth. Ties: in the run as written. "
    "Equal scores: candidates whose score by the system equals another's, so that the first stage "
    "orders them; – for a system that gives an order alone. "
    "Unjudged: share of the first ten passages without a judgment, which metrics count as not "
    "relevant. Answers repaired: those of a language model that named only some of the passages. "
    "Rejected: those that named none, so the window kept its order."
)


def write_audits(resolved: Resolved, root: Path, title: str) -> list[Path]:
    """Write the table `audits`."""
    table = audits(resolved, root)
    columns = label_for_system(
        {n: Column(n, 4 if n == COUNTS["unjudged_top10"] else 0) for n in map(str, table)}
    )
    return write_table(root / "tables", "audits", table, columns, ["collection"], title + CAPTION)


def audits(resolved: Resolved, root: Path) -> pd.DataFrame:
    """Return the audits' counts, one row per run."""
    rows = [
        {
            "collection": dataset,
            "first stage": stage,
            "system": item["system"],
            "label": resolved.label(item["system"]),
            "seed": item["seed"],
        }
        | {header: item.get(name) for name, header in COUNTS.items()}
        for dataset, stage in resolved.pairs
        for item in read_json(root / "audits" / dataset / f"{stage}.json")["systems"]
    ]
    return pd.DataFrame(rows)
