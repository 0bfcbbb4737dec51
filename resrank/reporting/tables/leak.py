"""The table `leak`: how much of a trained system's score could be memory."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from resrank.reporting.results import read_json
from resrank.reporting.tables.column import Column, label_for_system
from resrank.reporting.tables.write import write_table
from resrank.suite.resolved import Resolved

CAPTION = (
    "Leak audit, nDCG@10. Overlap: share of test positives that were training positives (by text). "
    "Prior alone: candidates by how often they were training positives, blind to the query. Prior "
    "over first stage: training positives first, each part in first-stage order. An untrained "
    "system is audited against the training positives of the trained ones."
)

UNLABELLED = (
    " Unlabelled overlap: share of test positives, by text, whose passage was split into a "
    "pseudo-query and its relevant passage (`queries: own_text`); no label was read of them, and "
    "the columns beside it count labels alone. Other passages of the collection were read too, as "
    "candidates."
)


def write_leak(resolved: Resolved, root: Path, title: str) -> list[Path]:
    """Write the table `leak`; nothing if no system of the suite was trained."""
    table = leaks(resolved, root)
    if table.empty:
        return []
    columns = label_for_system({n: Column(n, _decimals(table[n])) for n in map(str, table)})
    caption = CAPTION + (UNLABELLED if "unlabelled overlap" in table else "")
    return write_table(root / "tables", "leak", table, columns, ["collection"], title + caption)


def leaks(resolved: Resolved, root: Path) -> pd.DataFrame:
    """Return the leak audits, one row per candidate set, system and seed."""
    rows = []
    for dataset, stage in resolved.pairs:
        for item in read_json(root / "audits" / dataset / f"{stage}.json")["systems"]:
            if item["leak"]:
                row = {"collection": dataset, "first stage": stage}
                row |= {"system": item["system"], "label": resolved.label(item["system"])}
                rows.append(row | {"seed": item["seed"]} | item["leak"])
    return pd.DataFrame(rows).rename(columns=lambda name: name.replace("_", " "))


def _decimals(values: pd.Series[float]) -> int:
    return 4 if pd.api.types.is_float_dtype(values) else 0
