"""Means over a suite's collections, labelled by how many of them they are over.

A collection counts once, whatever its number of queries, as in the papers' tables. A set that was
skipped leaves a mean over fewer than the suite asks for, and its label says so.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from resrank.suite.load import Resolved

NOTE = " A mean over collections counts each one once, and has no times or tokens."


def with_means(resolved: Resolved, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of `results.comparison`, and behind them each system's means over collections.

    The frame as it is where the suite asks for one collection.
    """
    asked = len(resolved.given.collections)
    if asked == 1:
        return frame
    rows = [frame]
    for stage, part in _groups(resolved, frame):
        means = part.groupby("system", sort=False)[resolved.suite.metrics].mean().reset_index()
        means["label"] = means["system"].map(resolved.label)
        means["collection"] = mean_label(part["collection"].nunique(), asked)
        means["first_stage"] = stage
        rows.append(means)
    return pd.concat(rows, ignore_index=True)


def mean_label(found: int, asked: int) -> str:
    """What a mean is over: 'mean of 10', or 'mean of 7 of 10' where some are lacking."""
    return f"mean of {found}" if found == asked else f"mean of {found} of {asked}"


def _groups(resolved: Resolved, frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """What is averaged together: all, if each collection has one first stage; else each stage."""
    stages = [resolved.stages_of(name) for name in resolved.suite.collections]
    if all(len(names) == 1 for names in stages):
        yield ", ".join(dict.fromkeys(names[0] for names in stages)), frame
        return
    for stage, part in frame.groupby("first_stage", sort=False):
        yield str(stage), part
