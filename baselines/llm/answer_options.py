"""The option of every system whose language model writes answers."""

from __future__ import annotations

from pydantic import Field

from resrank.options import Strict


class AnswerOptions(Strict):
    """How many unusable answers are accepted."""

    max_rejected: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Largest share of rejected answers. A run with more fails with examples of "
        "what the model wrote; 1 accepts any run. One rejected answer alone fails no run unless "
        "this is 0.",
    )
