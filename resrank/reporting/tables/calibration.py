"""The tables `calibration` and `confusion` of systems that give grades, and their figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from resrank.reporting.figures.reliability import reliability_figure
from resrank.reporting.results import read_json
from resrank.reporting.tables.column import CANDIDATE_SET, Column
from resrank.reporting.tables.write import write_table
from resrank.suite.resolved import Resolved

CalibratedRun = Mapping[str, Any]
"""The measures of one seed of a system, with its candidate set."""
SYSTEM = CANDIDATE_SET | {"label": Column("system")}
MEASURES = {
    "over_estimation": Column("over-estimated", 4, -1, "over_estimation sd"),
    "mean_bias": Column("mean bias", 4, 0, "mean_bias sd"),
    "pnr": Column("PNR", 2, 1, "pnr sd"),
    "npnr": Column("nPNR", 4, 1, "npnr sd"),
    "ece": Column("ECE", 4, -1, "ece sd"),
}
COLUMNS = (
    SYSTEM
    | MEASURES
    | {
        "seeds": Column("seeds"),
        "pairs": Column("pairs"),
        "grades": Column("of grade 0 / 1 / 2"),
        "taken_for_0": Column("taken for 0"),
        "not_judged": Column("not judged"),
    }
)
CONFUSION = SYSTEM | {
    "true": Column("true grade"),
    "as_0": Column("judged 0"),
    "as_1": Column("judged 1"),
    "as_2": Column("judged 2"),
}
CAPTION = (
    "Means over seeds ± standard deviation, over pairs of a query and a judged passage, with three "
    "grades; the predicted grade is the most probable one. Over-estimated: share of pairs whose "
    "predicted grade exceeds the true one. Mean bias: predicted minus true. PNR: among pairs of a "
    "query's passages with different true grades, those in the right order over those in the wrong "
    "order (–: none is in the wrong order). nPNR: share of those pairs in the right order. ECE: "
    "expected calibration error of the predicted grade's probability. Taken for 0: pairs without a "
    "judgment that count as grade 0, because the collection's judgments are complete. Not judged: "
    "pairs left out."
)
CONFUSION_CAPTION = (
    "Pairs of a query and a judged passage by true and by predicted grade, all seeds pooled."
)
TWO_GRADES = (
    " {names}: no judged passage has grade 1; a predicted 1 is too high for grade 0 and too low "
    "for grade 2."
)
ONE_GRADE = (
    " {names}: every judged passage has one grade, so errors on one side and the order of pairs "
    "cannot be measured."
)


def write_calibration(resolved: Resolved, title: str, root: Path) -> list[Path]:
    """Write the tables `calibration` and `confusion`, and the figure `reliability`."""
    runs = read_calibration(resolved, root)
    caption = title + CAPTION + _missing_grades(runs)
    labels = {name: resolved.label(name) for name in resolved.judges}
    tables, groups = root / "tables", list(CANDIDATE_SET)
    measured, confused = over_seeds(runs, labels), confusion(runs, labels)
    return [
        *write_table(tables, "calibration", measured, COLUMNS, groups, caption),
        *write_table(tables, "confusion", confused, CONFUSION, [], title + CONFUSION_CAPTION),
        *reliability_figure(runs, labels, title, root / "figures" / "reliability"),
    ]


def read_calibration(resolved: Resolved, root: Path) -> list[CalibratedRun]:
    """Read the measures of each run whose system gives grades."""
    return [
        {"collection": dataset, "first_stage": stage}
        | run
        | {"grades": " / ".join(map(str, run["true_grades"]))}
        for dataset, stage in resolved.pairs
        for run in read_json(root / "calibration" / dataset / f"{stage}.json")["systems"]
    ]


def over_seeds(runs: Sequence[CalibratedRun], labels: Mapping[str, str]) -> pd.DataFrame:
    """Return means and standard deviations over seeds, one row per candidate set and system."""
    rows = []
    for keys, group in _by_system(runs).items():
        frame = pd.DataFrame(group, columns=list(MEASURES), dtype=float)
        row = _named(keys, labels)
        row |= {str(name): value for name, value in frame.mean().items()}
        row |= {f"{name} sd": value for name, value in frame.std().items()}
        same = {name: group[0][name] for name in ("pairs", "grades", "taken_for_0", "not_judged")}
        rows.append(row | {"seeds": len(group)} | same)
    return pd.DataFrame(rows)


def confusion(runs: Sequence[CalibratedRun], labels: Mapping[str, str]) -> pd.DataFrame:
    """Return all seeds' pairs, one row per candidate set, system and true grade."""
    rows = []
    for keys, group in _by_system(runs).items():
        counts = np.sum([run["confusion"] for run in group], axis=0)
        for true, predicted in enumerate(counts.tolist()):
            row = _named(keys, labels) | {"true": true}
            rows.append(row | {f"as_{grade}": count for grade, count in enumerate(predicted)})
    return pd.DataFrame(rows)


def _by_system(runs: Sequence[CalibratedRun]) -> dict[tuple[str, str, str], list[CalibratedRun]]:
    """Return (collection, first stage, system) -> its runs, one per seed."""
    groups: dict[tuple[str, str, str], list[CalibratedRun]] = {}
    for run in runs:
        groups.setdefault((run["collection"], run["first_stage"], run["system"]), []).append(run)
    return groups


def _named(keys: tuple[str, str, str], labels: Mapping[str, str]) -> dict[str, Any]:
    collection, stage, system = keys
    names = {"collection": collection, "first_stage": stage, "system": system}
    return names | {"label": labels[system]}


def _missing_grades(runs: Sequence[CalibratedRun]) -> str:
    """Explain the measures of collections whose judged passages lack one or two grades."""
    text = ""
    for template, grades in ((TWO_GRADES, [{0, 2}]), (ONE_GRADE, [{0}, {1}, {2}])):
        names = dict.fromkeys(r["collection"] for r in runs if _present_grades(r) in grades)
        text += template.format(names=", ".join(names)) if names else ""
    return text


def _present_grades(run: CalibratedRun) -> set[int]:
    return {grade for grade, pairs in enumerate(run["true_grades"]) if pairs}
