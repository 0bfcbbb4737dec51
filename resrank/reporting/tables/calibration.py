"""What systems' grades are worth: tables of calibration and confusion, and the figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from resrank.reporting.figures.reliability import reliability_figure
from resrank.reporting.results import read_json
from resrank.reporting.tables.write import WHERE, Column, write_table
from resrank.suite.load import Resolved

Run = Mapping[str, Any]
"""What `calibration` measured of one seed of a system, with its candidate set."""
SYSTEM = WHERE | {"label": Column("system")}
MEASURES = {
    "over_estimation": Column("over-estimated", 4, -1, "over_estimation sd"),
    "mean_bias": Column("mean bias", 4, 0, "mean_bias sd"),
    "pnr": Column("PNR", 2, 1, "pnr sd"),
    "npnr": Column("nPNR", 4, 1, "npnr sd"),
    "ece": Column("ECE", 4, -1, "ece sd"),
}
COLUMNS = SYSTEM | MEASURES | {
    "seeds": Column("seeds"), "pairs": Column("pairs"), "grades": Column("of grade 0 / 1 / 2"),
    "taken_for_0": Column("taken for 0"), "not_judged": Column("not judged"),
}  # fmt: skip
CONFUSION = SYSTEM | {
    "true": Column("true grade"), "as_0": Column("judged 0"), "as_1": Column("judged 1"),
    "as_2": Column("judged 2"),
}  # fmt: skip
CAPTION = (
    "Means over seeds ± standard deviation, over pairs of a query and a judged passage, in three "
    "grades; the most probable grade is the predicted one. Over-estimated: share of pairs whose "
    "predicted grade exceeds the true one. Mean bias: predicted minus true. PNR: pairs of a "
    "query's passages of different true grade that are ranked as these ask, over those ranked the "
    "other way round (–: there are none); "
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
    labels = {name: resolved.label(name) for name in resolved.judges}
    tables = root / "tables"
    written = write_table(
        tables, "calibration", over_seeds(runs, labels), COLUMNS, list(WHERE), caption
    )
    written += write_table(
        tables, "confusion", confusion(runs, labels), CONFUSION, [],
        f"{note}Pairs of a query and a judged passage by true and by predicted grade, of all seeds "
        "together.",
    )  # fmt: skip
    return written + reliability_figure(runs, labels, note, root / "figures" / "reliability")


def read_calibration(resolved: Resolved, root: Path) -> list[Run]:
    """The measures of each run whose system gives grades."""
    return [
        {"collection": dataset, "first_stage": stage}
        | run
        | {"grades": " / ".join(map(str, run["true_grades"]))}
        for dataset, stage in resolved.pairs
        for run in read_json(root / "calibration" / dataset / f"{stage}.json")["systems"]
    ]


def over_seeds(runs: Sequence[Run], labels: Mapping[str, str]) -> pd.DataFrame:
    """A row a candidate set and system: means, and standard deviations of several seeds."""
    rows = []
    for keys, found in _by_system(runs).items():
        frame = pd.DataFrame(found, columns=list(MEASURES), dtype=float)
        row = _named(keys, labels)
        row |= {str(name): value for name, value in frame.mean().items()}
        row |= {f"{name} sd": value for name, value in frame.std().items()}
        same = {name: found[0][name] for name in ("pairs", "grades", "taken_for_0", "not_judged")}
        rows.append(row | {"seeds": len(found)} | same)
    return pd.DataFrame(rows)


def confusion(runs: Sequence[Run], labels: Mapping[str, str]) -> pd.DataFrame:
    """A row a candidate set, system and true grade: the pairs of all seeds."""
    rows = []
    for keys, found in _by_system(runs).items():
        counts = np.sum([run["confusion"] for run in found], axis=0)
        for true, predicted in enumerate(counts.tolist()):
            row = _named(keys, labels) | {"true": true}
            rows.append(row | {f"as_{grade}": count for grade, count in enumerate(predicted)})
    return pd.DataFrame(rows)


def _by_system(runs: Sequence[Run]) -> dict[tuple[str, str, str], list[Run]]:
    """(collection, first stage, system) -> its runs, a seed each."""
    found: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        found.setdefault((run["collection"], run["first_stage"], run["system"]), []).append(run)
    return found


def _named(keys: tuple[str, str, str], labels: Mapping[str, str]) -> dict[str, Any]:
    collection, stage, system = keys
    about = {"collection": collection, "first_stage": stage, "system": system}
    return about | {"label": labels[system]}


def _few_grades(runs: Sequence[Run]) -> str:
    """What is measured where the judged passages do not have all three grades."""
    said = ""
    for text, grades in ((TWO_GRADES, [{0, 2}]), (ONE_GRADE, [{0}, {1}, {2}])):
        names = dict.fromkeys(r["collection"] for r in runs if _grades_there(r) in grades)
        said += text.format(names=", ".join(names)) if names else ""
    return said


def _grades_there(run: Run) -> set[int]:
    return {grade for grade, pairs in enumerate(run["true_grades"]) if pairs}
