"""How a query's cost grows: all points, the factors over each span, and the figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from resrank.io.atomic import atomic_file
from resrank.reporting.figures.growth import draw_growth
from resrank.reporting.tables.column import Column
from resrank.reporting.tables.write import write_table

FACTOR_NAMES = {"candidates": "candidates", "passage_tokens": "tokens a passage"}
"""How `growth_factors.csv` names its columns."""
SPANS = [("candidates", 10, 100), ("candidates", 100, 1000), ("passage_tokens", 32, 512)]
FACTORS = (
    "Factor by which the FLOPs per query grow, from the models' shapes: with ten times the "
    "candidates, and with passages sixteen times as long (a prompt or a model may truncate the "
    "longest)."
)


def write_growth(rows: list[dict[str, Any]], title: str, out: Path) -> list[Path]:
    """Write `growth.csv` and `growth_factors.*`, and the figure `growth`, under `out`."""
    frame = pd.DataFrame(rows)
    table = out / "tables" / "growth.csv"
    with atomic_file(table) as partial:
        frame.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
    grown = factors(frame)
    columns = {name: Column(name, int(name != "system")) for name in map(str, grown)}
    caption = f"{title} {FACTORS}"
    return [
        table,
        *write_table(out / "tables", "growth_factors", grown, columns, [], caption),
        *draw_growth(frame, title, out / "figures" / "growth"),
    ]


def factors(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the factors by which modelled FLOPs grow over each span, one row per system."""
    rows = []
    modelled = frame[frame["kind"] == "modelled"]
    for _, group in modelled.groupby("system", sort=False):
        row: dict[str, Any] = {"system": group["label"].iloc[0]}
        for quantity, low, high in SPANS:
            at = group[group["axis"] == quantity].set_index("at")
            for mode in ("online", "cached"):
                cost = at[f"flops_{mode}"]
                row[f"{FACTOR_NAMES[quantity]} {low} to {high}, {mode}"] = cost[high] / cost[low]
        rows.append(row)
    return pd.DataFrame(rows)
