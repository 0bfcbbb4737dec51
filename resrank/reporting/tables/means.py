"""Means over a suite's collections, labelled with how many collections they cover.

Each collection has the same weight, whatever its number of queries, as in the papers' tables. If a
set was skipped, the mean covers fewer than the suite names, and its label gives both numbers.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from resrank.suite.resolved import Resolved

NOTE = " A mean over collections counts each one once, and has no times or tokens."


def with_means(resolved: Resolved, frame: pd.DataFrame) -> pd.DataFrame:
    """Append each system's means over collections to the rows of `comparison.comparison`.

    Returns the frame unchanged if the suite names only one collection, or if some systems are
    compared on a part of the collections only.
    """
    named = len(resolved.given.collections)
    if named == 1 or resolved.suite.systems_on:
        return frame
    rows = [frame]
    for stage, part in groups(resolved, frame):
        averaged = [*resolved.suite.metrics, *(["gain"] if "gain" in part else [])]
        means = part.groupby("system", sort=False)[averaged].mean().reset_index()
        means["label"] = means["system"].map(resolved.label)
        means["companion"] = means["system"].isin(list(resolved.companions))
        means["collection"] = mean_label(part["collection"].nunique(), named)
        means["first_stage"] = stage
        rows.append(means)
    return pd.concat(rows, ignore_index=True)


def mean_label(present: int, named: int) -> str:
    """Return what a mean covers: 'mean of 10', or 'mean of 7 of 10' if some sets are missing."""
    return f"mean of {present}" if present == named else f"mean of {present} of {named}"


def groups(resolved: Resolved, frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows to average: all if each collection has one first stage, else each stage's.

    Each group comes with the name of its first stages.
    """
    stages = [resolved.stages_of(name) for name in resolved.suite.collections]
    if all(len(names) == 1 for names in stages):
        yield ", ".join(dict.fromkeys(names[0] for names in stages)), frame
        return
    for stage, part in frame.groupby("first_stage", sort=False):
        yield str(stage), part
