"""Sentences that open captions: the suite, and the conditions under which it was measured."""

from __future__ import annotations

import pandas as pd

from resrank.suite.resolved import Resolved

DEMONSTRATION = "A demonstration of the pipeline on a small collection, not a benchmark. "


def suite_title(resolved: Resolved) -> str:
    """Return the suite's title, with its scale, its purpose and the sets that were skipped."""
    title = f"{resolved.suite.title}. " if resolved.suite.title else ""
    if resolved.suite.scale > 1:
        title += "Models with random weights are smaller than their names say: layers and widths "
        title += f"are divided by {resolved.suite.scale}. "
    if resolved.suite.demonstration:
        title += DEMONSTRATION
    skipped = "; ".join(f"{name}, {why}" for name, why in resolved.skipped.items())
    return title + (f"Skipped: {skipped}. " if skipped else "")


def conditions(resolved: Resolved, frame: pd.DataFrame) -> str:
    """Return the suite's title with the queries, the machine and the number formats.

    frame: the rows of `comparison.comparison`.
    """
    one = frame.iloc[0]
    judged = frame.groupby("collection", sort=False)["queries"].max()
    queries = ", ".join(f"{n} judged queries of {c}" for c, n in judged.items())
    scored = "" if resolved.costs_alone else f"Scores: {queries}. {_grades(resolved)}"
    dtypes = ", ".join(dict.fromkeys(d for d in frame["dtype"] if d != "none"))
    formats = f", {dtypes}" if dtypes else ""
    return (
        f"{suite_title(resolved)}{scored}Times: {one['timed_queries']} queries one at a time, "
        f"batch 1, {one['threads']} threads of {one['processor']}{formats} (encoder + reranker)."
        f"{engines(frame)}{_recorded(frame)}"
    )


def engines(frame: pd.DataFrame) -> str:
    """Name the software that the timed systems ran in; empty if only first stages were timed.

    frame: a row per system with its label, `timed`, `reranks` and `generated_tokens`.
    """
    here = frame[(frame["timed"] == "here") & frame["reranks"].astype(bool)]
    if here.empty:
        return ""
    writers = ", ".join(dict.fromkeys(here["label"][here["generated_tokens"] > 0]))
    written = f"; {writers}: transformers' generate, not a server such as vLLM" if writers else ""
    return f" Engine: PyTorch, default kernels{written}."


def _grades(resolved: Resolved) -> str:
    """Name the lowest relevant grade of binary metrics where it is not 1."""
    grades = {c: resolved.collections[c].relevant_grade for c in resolved.suite.collections}
    higher = ", ".join(f"{grade} for {c}" for c, grade in grades.items() if grade > 1)
    return f"Binary metrics count grades from {higher}. " if higher else ""


def _recorded(frame: pd.DataFrame) -> str:
    """Name the systems that were not timed on this machine."""
    labels = ", ".join(dict.fromkeys(frame["label"][frame["timed"] == "recorded"]))
    if not labels:
        return ""
    return (
        f" The times of {labels} are sums of recorded call times; the calls were made concurrently."
    )
