"""Qwen3-Reranker: the probability of "yes" in the model's own template (Zhang et al., 2025,
arXiv 2506.05176)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import Field

from baselines.llm.options import TransformersOptions
from baselines.llm.pointwise import TwoAnswers, fit
from resrank.efficiency.common_work import estimated_pairs, scored, text_tokens
from resrank.model.options import DtypeName
from resrank.records import Usage
from resrank.reranker_options import RerankerOptions
from resrank.work import Pass, QueryShape

if TYPE_CHECKING:
    from baselines.llm.backends.transformers import TransformersModel

BEFORE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and "
    'the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
    "<|im_start|>user\n"
)
AFTER = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


class Qwen3RerankerOptions(RerankerOptions):
    """Which model, and how pairs are read."""

    model: str = Field("Qwen/Qwen3-Reranker-0.6B", description="A folder or hub id.")
    revision: str | None = Field(None, description="Hub commit to pin.")
    instruction: str = Field(
        "Given a web search query, retrieve relevant passages that answer the query",
        description="What makes a passage relevant.",
    )
    max_tokens: int = Field(8192, ge=64, description="Longer pairs lose the passage's end.")
    batch_tokens: int = Field(16384, ge=1, description="Padded tokens in one forward pass.")
    dtype: DtypeName = Field("auto", description="Number format.")
    device: str = Field("auto", description="'auto': the first CUDA device, else 'cpu'.")


class Qwen3Reranker(TwoAnswers):
    """One forward pass per pair; the score is log p(yes), normalised over yes and no."""

    Options = Qwen3RerankerOptions

    def __init__(self, options: Qwen3RerankerOptions, model: TransformersModel) -> None:
        self.options = options
        self.batch_tokens = options.batch_tokens
        self.model = model
        self.targets = [model.token_after("\n\n", word) for word in ("yes", "no")]

    @classmethod
    def load(cls, options: Qwen3RerankerOptions, model_dir: Path | None = None) -> Self:
        """Load the published model."""
        from baselines.llm.backends.transformers import TransformersModel

        shared = options.model_dump(include={"model", "revision", "dtype", "device"})
        return cls(options, TransformersModel(TransformersOptions(
            kind="transformers", batch_tokens=options.batch_tokens, **shared
        )))  # fmt: skip

    @staticmethod
    def passes(options: Qwen3RerankerOptions, usage: Usage, candidates: int) -> list[Pass]:
        """Return one pass per pair."""
        return scored(options.model, usage)

    @staticmethod
    def estimate_usage(options: Qwen3RerankerOptions, shape: QueryShape) -> Usage:
        """Return the usage of reading each pair once."""
        fixed = text_tokens(BEFORE, "<Instruct>: <Query>: <Document>:", options.instruction, AFTER)
        return estimated_pairs(shape, fixed, options.max_tokens)

    def pair_ids(self, query: str, passage: str) -> tuple[list[int], bool]:
        """Return the token ids of a pair, and whether its passage was cut."""

        def ids(text: str) -> list[int]:
            return list(
                self.model.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
            )

        before = f"<Instruct>: {self.options.instruction}\n<Query>: {query}\n<Document>:"
        # The space goes with the passage, as in the model's own tokenisation of the whole pair.
        limit = min(self.options.max_tokens, self.model.positions)
        return fit(ids(BEFORE + before), ids(f" {passage}"), ids(AFTER), limit)
