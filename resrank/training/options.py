"""How ResRank is trained, as a configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from resrank.strict import Strict


class ResRankTraining(Strict):
    """One stage over first-stage lists with a frozen encoder."""

    epochs: int = Field(1, ge=1, description="Passes over the training queries.")
    learning_rate: float = Field(1e-4, gt=0, description="AdamW's peak rate.")
    warmup: float = Field(0.1, ge=0, lt=1, description="Share of the steps that warm up.")
    batch_queries: int = Field(16, ge=1, description="Lists in one step.")
    list_length: int = Field(100, ge=2, description="Candidates a training list keeps.")
    order: Literal["first_stage", "shuffled"] = Field(
        "shuffled", description="Order in which a training list is fed."
    )
    train_token_embeddings: bool = Field(
        False, description="Whether the reranker's vocabulary is trained too."
    )
    autocast: bool | None = Field(
        None, description="Compute in bfloat16, keep float32 weights; unset: where the hardware "
        "multiplies bfloat16 natively."
    )  # fmt: skip
    max_queries: int | None = Field(None, ge=1, description="Use only this many queries.")
