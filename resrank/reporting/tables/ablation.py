"""The tables `ablation` and `ablation_by_label`: what each choice is worth against a reference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.reporting.conditions import conditions
from resrank.reporting.statistics import Statistics
from resrank.reporting.tables.column import CANDIDATE_SET, Column
from resrank.reporting.tables.gains import NAMES, gain_column, gain_legend
from resrank.reporting.tables.leak import leaks
from resrank.reporting.tables.write import write_table
from resrank.suite.resolved import Resolved

TESTED = (
    " Difference: from {references}, between means over seeds, with its 95% bootstrap interval "
    "over queries and seeds; ↑, ↓: significant (randomisation test over queries, p below 0.05 "
    "after Holm's correction over all rows of the table `ablation`)."
)
DETAILS = (
    " Encoder alone: the same candidates by the cosine of the system's encoder, a score that the "
    "reranking score would hide. Without overlap: nDCG@10 on queries none of whose positives was a "
    "training positive."
)
BOUNDS = ("low_over_seeds", "high_over_seeds")
TESTS = ["difference", *BOUNDS, "p_holm", "mark"]


def write_ablation(
    resolved: Resolved, root: Path, frame: pd.DataFrame, statistics: Statistics
) -> list[Path]:
    """Write the table `ablation`, and `ablation_by_label` if it covers several candidate sets.

    frame: the rows of `comparison.comparison` with companions, which the table `scores` has.
    """
    table = ablation(resolved, root, frame, statistics)
    columns, groups = _columns(resolved, table), list(CANDIDATE_SET)
    tables = root / "tables"
    tested = conditions(resolved, frame) + TESTED.format(references=_references(resolved))
    caption = tested + DETAILS + gain_legend(resolved, table)
    written = write_table(tables, "ablation", table, columns, groups, caption)
    if len(resolved.ablated) > 1:
        wide, wide_columns = by_label(resolved, table)
        written += write_table(tables, "ablation_by_label", wide, wide_columns, [], tested)
    return written


def ablation(
    resolved: Resolved, root: Path, frame: pd.DataFrame, statistics: Statistics
) -> pd.DataFrame:
    """Return each system's difference from the reference on its candidate set, one row per system.

    The score of the system's encoder alone is beside the reranking score, and so is the score on
    test queries none of whose positives was a training positive. Untrained selves are rows, too.
    """
    metric = resolved.suite.metrics[0]
    pairs = list(zip(frame["collection"], frame["first_stage"], strict=True))
    rows = frame[[pair in resolved.ablated for pair in pairs]].reset_index(drop=True)
    keys = list(zip(rows["collection"], rows["first_stage"], rows["system"], strict=True))
    tested = _tests(statistics)
    kept = ["collection", "first_stage", "system", "label", "companion", metric, f"{metric} sd"]
    gains = NAMES if "gain" in rows else []
    table = rows.reindex(columns=[*kept, *gains, "encoder alone", "encoder alone sd", "seeds"])
    tests = pd.DataFrame([tested.get(key, {"difference": 0.0}) for key in keys], columns=TESTS)
    for place, name in enumerate(TESTS, start=len(kept)):
        table.insert(place, name, tests[name])
    audited = leaks(resolved, root)
    if len(audited):
        by_system = audited.groupby(["collection", "first stage", "system"])
        clean = by_system["score without overlap"].mean()
        table["without overlap"] = [clean.get(key) for key in keys]
    return table


def by_label(resolved: Resolved, table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Column]]:
    """Return the rows of the same label side by side, with the columns to display.

    table: the rows of `ablation`. There is a score and a difference per candidate set.
    """
    metric = resolved.suite.metrics[0]
    several_stages = any(len(resolved.stages_of(c)) > 1 for c, _ in resolved.ablated)
    rows: dict[str, dict[str, Any]] = {}
    columns = {"label": Column("system")}
    for row in table.to_dict("records"):
        entry = {"label": row["label"], "companion": row["companion"]}
        entry = rows.setdefault(row["label"], entry)
        name = f"{row['collection']} {row['first_stage']}" if several_stages else row["collection"]
        entry |= {f"{key} {name}": row[key] for key in (metric, f"{metric} sd", *TESTS)}
        columns |= {
            f"{metric} {name}": Column(f"{metric} {name}", 4, 1, f"{metric} sd {name}"),
            f"difference {name}": _difference(f" {name}"),
        }
    return pd.DataFrame(list(rows.values())), columns


def _difference(ending: str = "") -> Column:
    """Return the column of differences; the names of the columns that it reads have an ending."""
    low, high = (f"{name}{ending}" for name in BOUNDS)
    return Column(f"difference{ending}", 4, interval=(low, high), mark=f"mark{ending}", signed=True)


def _tests(statistics: Statistics) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return the values of `TESTS` by collection, first stage and system."""
    return {
        (*pair, test["a"]): {name: test[name] for name in TESTS if name != "mark"}
        | {"mark": _arrow(test, results["level"])}
        for pair, results in statistics.items()
        for test in results["ablation"]
    }


def _arrow(test: Mapping[str, Any], level: float) -> str:
    if test["p_holm"] >= level:
        return ""
    return "↑" if test["difference"] > 0 else "↓"


def _references(resolved: Resolved) -> str:
    """Return the labels of the references as text, with their collections if they differ."""
    suite = resolved.suite
    named = {c: f"'{resolved.label(str(suite.reference_on(c)))}'" for c, _ in resolved.ablated}
    if len(set(named.values())) == 1:
        return next(iter(named.values()))
    return ", ".join(f"{label} on {collection}" for collection, label in named.items())


def _columns(resolved: Resolved, table: pd.DataFrame) -> dict[str, Column]:
    metric = resolved.suite.metrics[0]
    several = table[["collection", "first_stage"]].drop_duplicates().shape[0] > 1
    columns = (CANDIDATE_SET if several else {}) | {
        "label": Column("system"),
        metric: Column(metric, 4, 1, f"{metric} sd"),
        "difference": _difference(),
        **gain_column(table),
        "encoder alone": Column("encoder alone", 4, 1, "encoder alone sd"),
        "without overlap": Column("without overlap", 4, 1),
        "seeds": Column("seeds"),
    }
    return {name: column for name, column in columns.items() if name in table}
