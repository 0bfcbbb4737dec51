"""The table `ablation`: the effect of each choice against the suite's base system."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from resrank.reporting.conditions import conditions
from resrank.reporting.tables.column import CANDIDATE_SET, Column
from resrank.reporting.tables.gains import LEGEND, NAMES, gain_column
from resrank.reporting.tables.leak import leaks
from resrank.reporting.tables.write import write_table
from resrank.suite.resolved import Resolved

CAPTION = (
    " Difference: from `{base}`, between means over seeds. Encoder alone: the same candidates by "
    "the cosine of the system's encoder, a score that the reranking score would hide. Without "
    "overlap: nDCG@10 on queries none of whose positives was a training positive."
)


def write_ablation(resolved: Resolved, root: Path, frame: pd.DataFrame) -> list[Path]:
    """Write the table `ablation`.

    frame: the rows of `comparison.comparison` without companions, which the table `scores` has.
    """
    table = ablation(resolved, root, frame)
    columns, groups = _columns(resolved, table), list(CANDIDATE_SET)
    caption = conditions(resolved, frame) + CAPTION.format(base=resolved.suite.ablation)
    caption += LEGEND.format(metric=resolved.suite.metrics[0]) if "gain" in table else ""
    return write_table(root / "tables", "ablation", table, columns, groups, caption)


def ablation(resolved: Resolved, root: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Return each system's difference from the suite's `ablation` system, one row per system.

    The score of the system's encoder alone is beside the reranking score, and so is the score on
    test queries none of whose positives was a training positive.
    """
    metric = resolved.suite.metrics[0]
    keys = list(zip(frame["collection"], frame["first_stage"], frame["system"], strict=True))
    scores = dict(zip(keys, frame[metric], strict=True))
    base = [scores[collection, stage, resolved.suite.ablation] for collection, stage, _ in keys]
    kept = ["collection", "first_stage", "label", metric, f"{metric} sd"]
    gains = NAMES if "gain" in frame else []
    table = frame.reindex(columns=[*kept, *gains, "encoder alone", "encoder alone sd", "seeds"])
    table.insert(5, "difference", frame[metric] - base)
    audited = leaks(resolved, root)
    if len(audited):
        by_system = audited.groupby(["collection", "first stage", "system"])
        clean = by_system["score without overlap"].mean()
        table["without overlap"] = [clean.get(key) for key in keys]
    return table


def _columns(resolved: Resolved, table: pd.DataFrame) -> dict[str, Column]:
    metric = resolved.suite.metrics[0]
    several = table[["collection", "first_stage"]].drop_duplicates().shape[0] > 1
    columns = (CANDIDATE_SET if several else {}) | {
        "label": Column("system"),
        metric: Column(metric, 4, 1, f"{metric} sd"),
        "difference": Column("difference", 4),
        **gain_column(table),
        "encoder alone": Column("encoder alone", 4, 1, "encoder alone sd"),
        "without overlap": Column("without overlap", 4, 1),
        "seeds": Column("seeds"),
    }
    return {name: column for name, column in columns.items() if name in table}
