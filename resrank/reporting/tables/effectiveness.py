"""The table `effectiveness`, as papers print it: systems by collections, one metric, means last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from resrank.reporting.tables.column import Column
from resrank.reporting.tables.gains import gains_note
from resrank.reporting.tables.write import write_table
from resrank.suite.resolved import Resolved

CAPTION = " {metric} on each collection, mean over seeds ± their standard deviation. "


def write_effectiveness(
    resolved: Resolved, root: Path, compared: pd.DataFrame, caption: str, legend: str
) -> list[Path]:
    """Write the table `effectiveness`.

    compared: the rows of `means.with_means`. caption: the conditions. legend: of the arrows.
    """
    metric = resolved.suite.metrics[0]
    stages = [resolved.stages_of(name) for name in resolved.suite.collections]
    one_each = all(len(names) == 1 for names in stages)
    frame = pivot(compared, metric, by_stage=not one_each)
    columns = {} if one_each else {"first_stage": Column("first stage")}
    columns |= {"label": Column("system")}
    for name in dict.fromkeys(compared["collection"]):
        key = f"{metric} {name}"
        mark = f"{key} mark" if f"{key} mark" in frame else None
        columns[key] = Column(name, 4, 1, f"{key} sd", mark=mark)
    columns["seeds"] = Column("seeds")
    groups = [] if one_each else ["first_stage"]
    text = caption + CAPTION.format(metric=metric) + legend + gains_note(compared)
    return write_table(root / "tables", "effectiveness", frame, columns, groups, text)


def pivot(compared: pd.DataFrame, metric: str, by_stage: bool) -> pd.DataFrame:
    """Return one row per system (and first stage), with each collection's score, sd and mark.

    The columns are `<metric> <collection>`, and the same followed by ` sd` and ` mark`.
    """
    table: dict[tuple[str, str], dict[str, Any]] = {}
    for row in compared.to_dict("records"):
        stage = row["first_stage"] if by_stage else ""
        names = {"first_stage": stage} if by_stage else {}
        names |= {name: row[name] for name in ("system", "label", "seeds", "companion")}
        entry = table.setdefault((stage, row["system"]), names)
        key = f"{metric} {row['collection']}"
        entry[key], entry[f"{key} sd"] = row[metric], row.get(f"{metric} sd")
        if isinstance(row.get("mark"), str):
            entry[f"{key} mark"] = row["mark"]
    return pd.DataFrame(list(table.values()))
