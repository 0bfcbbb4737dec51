"""Show the mark of estimated token counts in a table, and explain it in the caption."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import pandas as pd

from resrank.reporting.tables.column import Column
from resrank.reporting.token_marks import KEY, MARK

FOOTNOTE = f"{MARK} Estimated: the model's tokenizer was not at hand, and BERT's took its place."


def marked_columns(
    columns: Mapping[str, Column], frame: pd.DataFrame, counts: Collection[str]
) -> dict[str, Column]:
    """Return the columns; those of `counts` show the mark, if any row has one."""
    if KEY not in frame:
        return dict(columns)
    return {name: replace(c, mark=KEY) if name in counts else c for name, c in columns.items()}


def with_footnote(caption: str, frame: pd.DataFrame) -> str:
    """Return the caption with a sentence that explains the mark, if any row has it."""
    return f"{caption.rstrip()} {FOOTNOTE}" if KEY in frame else caption
