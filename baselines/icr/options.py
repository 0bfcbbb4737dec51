"""ICR's options."""

from __future__ import annotations

from pydantic import Field

from baselines.llm.options import TransformersOptions
from resrank.reranker_options import RerankerOptions
from resrank.windows import Window


class ICROptions(RerankerOptions):
    """Which model, and what it reads."""

    llm: TransformersOptions = Field(description="A causal language model in this process.")
    opening: str = Field("Here are some paragraphs:", description="Text before the passages.")
    closing: str = Field(
        "Please find information that are relevant to the following query in the paragraphs above.",
        description="Text after them, before the query.",
    )
    neutral_query: str = Field("N/A", description="A query without content, for calibration.")
    words: int = Field(
        300,
        ge=1,
        description="Longer passages lose their end, in words; all of a list are cut further "
        "until it fits the model.",
    )
    reverse: bool = Field(False, description="List the first stage's best passage last.")
    window: Window | None = Field(
        None,
        description="Rerank in sliding windows; unset: all candidates in one prompt, as the paper "
        "recommends.",
    )

    @property
    def list_window(self) -> Window | None:
        """Return the sliding windows that a list is reranked in, or None for the whole list."""
        return self.window
