"""The table `first_stages`: the bounds that each candidate set puts on every reranker."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.candidates.freeze import many_without_candidates
from resrank.reporting.results import read_json
from resrank.reporting.tables.column import Column
from resrank.reporting.tables.write import write_table
from resrank.suite.resolved import Resolved

UNTIDY = ["empty_passages", "judged_passages_absent", "judged_queries_without_text"]
CAPTION = (
    "Recall at the depth, and the nDCG@10 of a perfect reordering, bound every system. Before and "
    "after: the first stage's order, and that of the system with the highest mean. At worst and "
    "best ties: the first stage's nDCG@10 if its equal scores were in those orders."
)


def write_first_stages(
    resolved: Resolved, root: Path, frame: pd.DataFrame, title: str
) -> list[Path]:
    """Write the table `first_stages`. frame: the rows of `comparison.comparison`."""
    table = first_stages(resolved, root, frame)
    columns = {name: Column(name, 4 if _is_score(name) else 0) for name in map(str, table)}
    caption = title + CAPTION + without_candidates(table)
    return write_table(root / "tables", "first_stages", table, columns, ["collection"], caption)


def first_stages(resolved: Resolved, root: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Return recall, oracle, short lists and untidy data, one row per candidate set.

    frame: the rows of `comparison.comparison`, for the scores before and after reranking.
    """
    rows = []
    for dataset, stage in resolved.pairs:
        manifest = read_json(root / "candidates" / dataset / f"{stage}.manifest.json")
        row = {"collection": dataset, "first stage": stage, "depth": manifest["depth"]}
        measures = dict(manifest["splits"]["test"])
        ties = read_json(root / "audits" / dataset / f"{stage}.json")["ties"]
        measures |= {f"nDCG@10 at {order} ties": value for order, value in ties.items()}
        row["recall"] = measures.pop(f"recall@{manifest['depth']}")
        counts = read_json(root / "collections" / dataset / "manifest.json")["counts"]
        row |= before_and_after(frame, dataset, stage, resolved) | measures
        row |= {name: counts[name] for name in UNTIDY} | {"hash": manifest["hash"][:12]}
        rows.append(row)
    return pd.DataFrame(rows).rename(columns=lambda name: name.replace("_", " "))


def without_candidates(table: pd.DataFrame) -> str:
    """Return a sentence on each row of which many queries have no candidate; mostly empty."""
    rows = [row for row in table.to_dict("records") if many_without_candidates(_by_key(row))]
    return "".join(
        f" Of {row['collection']}, {row['queries without candidates']} of {row['judged queries']} "
        f"queries have no candidate from {row['first stage']}."
        for row in rows
    )


def _by_key(row: Mapping[Hashable, Any]) -> dict[str, Any]:
    return {str(name).replace(" ", "_"): value for name, value in row.items()}


def before_and_after(
    frame: pd.DataFrame, dataset: str, stage: str, resolved: Resolved
) -> dict[str, Any]:
    """Return the first stage's score and the best system's; None where the suite has neither."""
    metric = resolved.suite.metrics[0]
    rows = frame[(frame["collection"] == dataset) & (frame["first_stage"] == stage)]
    rows = rows[rows[metric].notna()]
    first, reranked = rows[~rows["reranks"]], rows[rows["reranks"]].sort_values(metric)
    return {
        f"{metric} before": None if first.empty else first[metric].iloc[0],
        f"{metric} after": None if reranked.empty else reranked[metric].iloc[-1],
        "by": None if reranked.empty else reranked["label"].iloc[-1],
    }


def _is_score(name: str) -> bool:
    return name == "recall" or "nDCG" in name or name.endswith((" before", " after"))
