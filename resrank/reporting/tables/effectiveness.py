"""Effectiveness as papers print it: systems by collections, one metric, the mean at the end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from resrank.reporting.tables.write import Column, write_table
from resrank.suite.load import Resolved

CAPTION = " {metric} of each collection, mean over seeds ± their standard deviation. "


def write_effectiveness(
    resolved: Resolved, root: Path, compared: pd.DataFrame, caption: str, marks: str
) -> list[Path]:
    """Write the table `effectiveness`.

    compared: the rows of `means.with_means`; caption: the conditions; marks: what arrows mean.
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
    said = caption + CAPTION.format(metric=metric) + marks
    return write_table(root / "tables", "effectiveness", frame, columns, groups, said)


def pivot(compared: pd.DataFrame, metric: str, by_stage: bool) -> pd.DataFrame:
    """A row a system (and first stage), with `<metric> <collection>`, its sd and its mark."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for found in compared.to_dict("records"):
        stage = found["first_stage"] if by_stage else ""
        about = {"first_stage": stage} if by_stage else {}
        about |= {name: found[name] for name in ("system", "label", "seeds")}
        row = rows.setdefault((stage, found["system"]), about)
        key = f"{metric} {found['collection']}"
        row[key], row[f"{key} sd"] = found[metric], found.get(f"{metric} sd")
        if isinstance(found.get("mark"), str):
            row[f"{key} mark"] = found["mark"]
    return pd.DataFrame(list(rows.values()))
