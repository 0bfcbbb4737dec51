"""PE-Rank's options and training options."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from resrank.model.options import EncoderOptions, TwoModels, UnitEncoder
from resrank.training.options import ListTraining
from resrank.windows import Window


class PERankOptions(TwoModels):
    """Which models, and how they are prompted."""

    encoder: UnitEncoder = EncoderOptions()
    chat: bool = Field(
        True,
        description="The authors' prompt, in the decoder's chat template; false: a plain one, of "
        "`instruction`, query, passages and `closing`, for a decoder without one.",
    )
    instruction: str = Field(
        "Rank the passages by their relevance to the query: ",
        description="Opens a plain prompt.",
    )
    closing: str = Field(" ranking: ", description="Text after a plain prompt's passages.")
    max_query_tokens: int = Field(128, ge=1, description="Longer queries lose their end.")
    window: Window = Field(Window(), description="Size, step and passes of the windows.")
    batch_windows: int = Field(32, ge=1, description="Windows that are decoded at once.")

    @property
    def list_window(self) -> Window:
        """Return the sliding windows that a list is reranked in."""
        return self.window

    @property
    def random_part(self) -> str:
        """Return "projector", which has random weights until trained."""
        return "projector"


class PERankTraining(ListTraining):
    """ListMLE over the decoding steps, without and with the passages' text.

    Projector and decoder are trained; the encoder is not.
    """

    step_weights: Literal["inverse", "equal"] = Field(
        "inverse", description="'inverse': the i-th step counts 1 / i."
    )
    normalise: bool = Field(
        True, description="Divide hidden states by their length before they choose."
    )
    temperature: float = Field(1.0, gt=0, description="Temperature of the choices.")
    content_weight: float = Field(
        1.0, ge=0, description="Weight of the loss of a prompt with the passages' text."
    )
    divergence_weight: float = Field(
        0.2, ge=0, description="Weight of the divergence between both prompts' choices."
    )
    content_tokens: int = Field(180, ge=1, description="Tokens of a text in that prompt.")
    batch_queries: int = Field(8, ge=1, description="Lists in one step.")
    order: Literal["first_stage", "shuffled"] = Field(
        "first_stage",
        description="Order in which a training list is fed; a model is served lists in first-stage "
        "order, and the paper names no other.",
    )
    learning_rate: float = Field(3e-4, gt=0, description="AdamW's peak rate.")

    @property
    def uses_text(self) -> bool:
        """Whether the prompt with the passages' text contributes to the loss."""
        return self.content_weight > 0 or self.divergence_weight > 0
