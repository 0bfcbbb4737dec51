"""The largest change that each kind of variant causes, as a table and a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from resrank.reporting.figures.sensitivity import KINDS, SensitivityResults, changes_by_kind
from resrank.reporting.results import read_json
from resrank.reporting.tables.column import Column
from resrank.reporting.tables.write import write_table
from resrank.suite.resolved import Resolved

DIGITS = 4
COLUMNS = {
    "collection": Column("collection"),
    "first_stage": Column("first stage"),
    "label": Column("system"),
    "kind": Column("changed"),
    "variants": Column("variants"),
    "score": Column("nDCG@10", 4),
    "difference": Column("largest change", 4),
    "difference_by": Column("by"),
    "tau": Column("lowest tau", 4),
    "tau_by": Column("by"),
}
CAPTION = (
    "nDCG@10 over {queries} queries, the largest change in it, and the lowest rank correlation "
    "(Kendall's tau over all candidates, mean over queries) that variants of one kind cause, with "
    "everything else unchanged. Orders: reversed, and shuffled five times. –: the system has no "
    "such option, or nothing changed. Refused: it cannot run with that variant; `sensitivity/` has "
    "the reason."
)


def write_sensitivity(resolved: Resolved, note: str, root: Path) -> list[Path]:
    """Write the table and the figure `sensitivity`."""
    results: SensitivityResults = {
        (dataset, stage, system): read_json(
            root / "sensitivity" / dataset / stage / f"{system}.json"
        )
        for dataset, stage, system in resolved.compared
        if system in resolved.suite.sensitivity
    }
    rows = [
        dict(zip(("collection", "first_stage", "system"), key, strict=True))
        | {"label": resolved.label(key[2]), "kind": name, "score": result["score"]}
        | largest([v for v in result["variants"] if v["kind"] == kind])
        for key, result in results.items()
        for kind, name in KINDS.items()
    ]
    queries = "/".join(sorted({str(result["queries"]) for result in results.values()}))
    caption = f"{note} {CAPTION.format(queries=queries)}"
    frame = pd.DataFrame(rows).reindex(columns=["system", *COLUMNS])
    labels = {name: resolved.label(name) for name in resolved.suite.sensitivity}
    return [
        *write_table(root / "tables", "sensitivity", frame, COLUMNS, [], caption),
        *changes_by_kind(results, labels, note, root / "figures" / "sensitivity"),
    ]


def largest(variants: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the largest changes of score and order, with the variants that cause them."""
    run = [variant for variant in variants if "refused" not in variant]
    refused = f" ({len(variants) - len(run)} refused)" if len(run) < len(variants) else ""
    if not run:
        return {"variants": f"0{refused}"}
    score = max(run, key=lambda v: abs(v["difference"]))
    order = min(run, key=lambda v: float(v["tau"]))
    return {
        "variants": f"{len(run)}{refused}",
        "difference": score["difference"],
        "difference_by": score["name"] if _is_visible(score["difference"]) else None,
        "tau": order["tau"],
        "tau_by": order["name"] if _is_visible(1 - float(order["tau"])) else None,
    }


def _is_visible(change: float) -> bool:
    """Return whether a change is visible in the table's digits; no variant is named otherwise."""
    return round(abs(change), DIGITS) > 0
