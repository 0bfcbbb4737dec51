"""Tables as files: CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from resrank.io.atomic import atomic_file, write_text
from resrank.reporting.tables.cells import row_cells
from resrank.reporting.tables.column import Column
from resrank.reporting.tables.formats import Cell, latex, markdown
from resrank.reporting.tables.ranking import best_cells


def write_table(
    folder: Path,
    name: str,
    frame: pd.DataFrame,
    columns: Mapping[str, Column],
    groups: Sequence[str],
    caption: str,
) -> list[Path]:
    """Write `<name>.csv` (all columns, plain numbers), `.md` and `.tex` (columns as displayed).

    groups: columns whose values divide the rows into groups with a best cell each.
    """
    with atomic_file(folder / f"{name}.csv") as partial:
        frame.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
    ranks = best_cells(frame, columns, groups)
    rows = [
        [
            Cell(text, ranks.get((place, key), 0))
            for key, text in zip(columns, row_cells(frame.iloc[place], columns), strict=True)
        ]
        for place in range(len(frame))
    ]
    write_text(folder / f"{name}.md", markdown(rows, columns, caption))
    write_text(folder / f"{name}.tex", latex(rows, columns, caption))
    return [folder / f"{name}.{ending}" for ending in ("csv", "md", "tex")]
