"""Text of a table's cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from resrank.reporting.tables.column import Column


def row_cells(row: pd.Series[Any], columns: Mapping[str, Column]) -> list[str]:
    """Return the text of each cell of a row."""
    cells = []
    for key, column in columns.items():
        value = row[key]
        if isinstance(value, str):
            cells.append(value)
        elif pd.isna(value):
            cells.append(column.missing)
        else:
            cells.append(_number(float(value), row, column))
    return cells


def _number(value: float, row: pd.Series[Any], column: Column) -> str:
    """Return a value with its spread or interval and its mark, where it has them."""
    text = _with_bounds(value, row, column)
    mark = row[column.mark] if column.mark else None
    return f"{text} {mark}".rstrip() if isinstance(mark, str) else text


def _with_bounds(value: float, row: pd.Series[Any], column: Column) -> str:
    least = 10.0**-column.decimals
    if column.p and value < least:
        return f"<{least:.{column.decimals}f}"
    sign = "+" if column.signed else ""
    text = f"{value / column.unit:{sign},.{column.decimals}f}"
    if column.joined:
        return " / ".join([text, *(f"{row[name]:.{column.decimals}f}" for name in column.joined)])
    if column.spread and pd.notna(row[column.spread]):
        return f"{text} ± {row[column.spread]:.{column.decimals}f}"
    if column.interval and pd.notna(row[column.interval[0]]):
        low, high = (f"{row[name]:,.{column.decimals}f}" for name in column.interval)
        return f"{text} [{low}, {high}]"
    return text
