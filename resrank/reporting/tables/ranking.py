"""The best and second best cells of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from resrank.reporting.tables.column import Column


def best_cells(
    frame: pd.DataFrame, columns: Mapping[str, Column], groups: Sequence[str]
) -> dict[tuple[int, str], int]:
    """Return (row, column) -> 1 or 2: the best and second best of each group, as displayed.

    Values that round to the same number tie. The worse of only two different values is not marked
    as second best. A row whose `companion` is true is never marked.
    """
    listed = ~frame["companion"].eq(True) if "companion" in frame else True
    ranks: dict[tuple[int, str], int] = {}
    keys: list[tuple[object, ...]] = list(frame[list(groups)].itertuples(index=False, name=None))
    for key, column in columns.items():
        if not column.best or key not in frame:
            continue
        rivals = (
            listed & frame[key].notna() & (frame[column.among].eq(True) if column.among else True)
        )
        for group in dict.fromkeys(keys):
            values = {
                place: round(float(frame[key].iloc[place]) / column.unit, column.decimals)
                for place in range(len(frame))
                if keys[place] == group and rivals.iloc[place]
            }
            ordered = sorted(set(values.values()), reverse=column.best > 0)
            marked = ordered[: min(2, len(ordered) - 1)]
            ranks |= {
                (place, key): marked.index(value) + 1
                for place, value in values.items()
                if value in marked
            }
    return ranks
