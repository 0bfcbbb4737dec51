"""The mark of token counts that are estimated, because another tokenizer made them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MARK = "†"
KEY = "token_mark"
"""The column of a row's mark."""


def token_mark(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the mark of a row whose counts are estimated, as a column; nothing if they are exact.

    result: a run's manifest, or a measurement. A model that it does not list has its own tokenizer.
    """
    tokenizers = result.get("tokenizers", {}).values()
    return {} if all(each["exact"] for each in tokenizers) else {KEY: MARK}
