"""The cross-encoder's options and training options."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from resrank.model.options import DtypeName
from resrank.reranker_options import RerankerOptions, StageWork, TrainingOptions
from resrank.training.teacher_options import FilteredNegatives


class CrossEncoderOptions(RerankerOptions):
    """Which model, and how pairs are read."""

    model: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2",
        description="A folder, hub id, GGUF file or wheel (`pypi:...`); a model without a head "
        "gets a new one.",
    )
    revision: str | None = Field(None, description="Hub commit to pin.")
    max_tokens: int = Field(256, ge=16, description="Longer pairs lose the longer text's end.")
    batch_tokens: int | None = Field(
        None,
        ge=16,
        description="Padded tokens in one forward pass; unset: 1,024 on the processor, where that "
        "many stay in its cache, and 32,768 on a GPU.",
    )
    dtype: DtypeName = Field("auto", description="Number format when scoring.")
    device: str = Field("auto", description="'auto': the first CUDA device, else 'cpu'.")

    @property
    def random_part(self) -> str | None:
        """Return "head" if the model is an encoder, whose new head has random weights.

        A model that is not on this machine yet is assumed to have a head.
        """
        from resrank.model.hub import architectures

        names = architectures(self.model, self.revision)
        has_head = not names or any(n.endswith("ForSequenceClassification") for n in names)
        return None if has_head else "head"

    @property
    def may_start_random(self) -> bool:
        """Return True: only the files of a model say whether it has a head."""
        return True


class CrossEncoderTraining(FilteredNegatives, TrainingOptions):
    """Learn to score a query's relevant passage above candidates of its list."""

    loss: Literal["binary", "softmax", "ranknet"] = Field(
        "binary",
        description="'binary': cross-entropy of each pair; 'softmax': cross-entropy of the "
        "relevant passage among its negatives (Gao et al., ECIR 2021); 'ranknet': logistic loss "
        "of each negative against the relevant passage.",
    )
    epochs: int = Field(1, ge=1, description="Passes over the training queries.")
    learning_rate: float = Field(5e-5, gt=0, description="AdamW's peak rate.")
    batch_queries: int = Field(8, ge=1, description="Queries in one step.")
    negatives: int = Field(3, ge=1, description="Negatives per query, from its candidates.")
    max_tokens: int = Field(128, ge=16, description="Pairs are cut to this many tokens.")
    max_queries: int | None = Field(None, ge=1, description="Use only this many queries.")
    length_groups: int = Field(
        1,
        ge=1,
        description="Forward passes that a step's pairs are read in, sorted by length: with more, "
        "less padding is read.",
    )

    @property
    def stage_work(self) -> tuple[StageWork, ...]:
        """Return the one stage's work."""
        return (StageWork(self.epochs, 1 + self.negatives, self.share, self.max_queries),)
