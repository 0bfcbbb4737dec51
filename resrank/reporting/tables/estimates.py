"""Mark token counts that are estimated, because another tokenizer made them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from resrank.reporting.tables.column import Column

MARK = "†"
KEY = "token_mark"
FOOTNOTE = f"{MARK} Estimated: the model's tokenizer was not at hand, and BERT's took its place."


def token_mark(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the mark of a row whose counts are estimated, as a column; nothing if they are exact.

    result: a run's manifest, or a measurement. A model that it does not list has its own tokenizer.
    """
    tokenizers = result.get("tokenizers", {}).values()
    return {} if all(each["exact"] for each in tokenizers) else {KEY: MARK}


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
