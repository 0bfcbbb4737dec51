"""What systems' grades are worth: tables of calibration and confusion, and the figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from resrank.reporting.reliability import reliability_figure
from resrank.reporting.results import read_json
from resrank.reporting.tables import WHERE, Column, write_table
from resrank.suite import Resolved

RUN = WHERE | {"system": Column("system"), "seed": Column("seed")}
COLUMNS = RUN | {
    "over_estimation": Column("over-estimated", 4, -1), "mean_bias": Column("mean bias", 4),
    "pnr": Column("PNR", 2, 1), "npnr": Column("nPNR", 4, 1), "ece": Column("ECE", 4, -1),
    "pairs": Column("pairs"), "grades": Column("of grade 0 / 1 / 2"),
    "taken_for_0": Column("taken for 0"), "not_judged": Column("not judged"),
}  # fmt: skip
CONFUSION = RUN | {
    "true": Column("true grade"), "as_0": Column("judged 0"), "as_1": Column("judged 1"),
    "as_2": Column("judged 2"),
}  # fmt: skip
CAPTION = (
    "Over pairs of a query and a judged passage, in three grades; the most probable grade is the "
    "predicted one. Over-estimated: share of pairs whose predicted grade exceeds the true one. "
    "Mean bias: predicted minus true. PNR: pairs of a query's passages of different true grade "
    "that are ranked as these ask, over those ranked the other way round (–: there are none); "
    "nPNR: their share. ECE: expected calibration error of the predicted grade's probability. "
    "Taken for 0: counted, since the collection's judgments are complete. Not judged: left out."
)
TWO_GRADES = (
    " {names}: no judged passage has grade 1; a predicted 1 is too high for the one grade and too "
    "low for the other."
)
ONE_GRADE = (
    " {names}: every judged passage has one grade; nothing is said of errors to the one side, nor "
    "of the order of pairs."
)


def write_calibration(resolved: Resolved, note: str, root: Path) -> list[Path]:
    """Write the tables `calibration` and `confusion`, and the figure `reliability`."""
    runs = read_calibration(resolved, root)
    caption = note + CAPTION + _few_grades(runs)
    frame = pd.DataFrame(runs).reindex(columns=list(COLUMNS))
    tables = root / "tables"
    written = write_table(tables, "calibration", frame, COLUMNS, list(WHERE), caption)
    written += write_table(
        tables, "confusion", confusion(runs), CONFUSION, [],
        note + "Pairs of a query and a judged passage by true and by predicted grade.",
    )  # fmt: skip
    labels = {name: resolved.label(name) for name in resolved.judges}
    return written + reliability_figure(runs, labels, note, root / "figures" / "reliability")


def read_calibration(resolved: Resolved, root: Path) -> list[dict[str, Any]]:
    """The measures of each run whose system gives grades."""
    return [
        {"collection": dataset, "first_stage": stage}
        | run
        | {"grades": " / ".join(map(str, run["true_grades"]))}
        for dataset, stage in resolved.pairs
        for run in read_json(root / "calibration" / dataset / f"{stage}.json")["systems"]
    ]


def confusion(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """A row a run and true grade."""
    rows = [
        {name: run[name] for name in RUN}
        | {"true": true}
        | {f"as_{predicted}": count for predicted, count in enumerate(counts)}
        for run in runs
        for true, counts in enumerate(run["confusion"])
    ]
    return pd.DataFrame(rows, columns=list(CONFUSION))


def _few_grades(runs: list[dict[str, Any]]) -> str:
    """What is measured where the judged passages do not have all three grades."""
    said = ""
    for text, grades in ((TWO_GRADES, [{0, 2}]), (ONE_GRADE, [{0}, {1}, {2}])):
        names = dict.fromkeys(r["collection"] for r in runs if _grades_there(r) in grades)
        said += text.format(names=", ".join(names)) if names else ""
    return said


def _grades_there(run: dict[str, Any]) -> set[int]:
    return {grade for grade, pairs in enumerate(run["true_grades"]) if pairs}
