"""Typed options of the models: no torch here, so that a configuration is checked in no time."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag, model_validator

from resrank.options import NAME, NAME_OR_SHAPE, SHAPE, Strict
from resrank.reranker_options import RerankerOptions
from resrank.windows import Window
from resrank.work import DecoderShape

DtypeName = Literal["auto", "float32", "bfloat16", "float16"]
StoreDtype = Literal["float32", "bfloat16", "int8"]
Pooling = Literal["auto", "last", "mean", "cls"]


class EncoderOptions(RerankerOptions):
    """How texts are embedded."""

    model: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2", description="A folder or a hub id."
    )
    revision: str | None = Field(None, description="Hub commit to pin.")
    pooling: Pooling = Field("auto", description="'auto' is what the model was trained with.")
    query_instruction: str = Field("", description="Put in front of a query; never cut.")
    passage_instruction: str = Field("", description="Put in front of a passage; never cut.")
    end_token: str = Field(
        "", description="Put behind every text and never cut, where a model wants one that its "
        "tokenizer does not add by itself."
    )  # fmt: skip
    max_tokens: int = Field(256, ge=8, description="Longer texts lose their end, in tokens.")
    batch_tokens: int | None = Field(
        None, ge=8, description="Padded tokens in one forward pass; unset: 2,048 on the processor, "
        "where that many stay in its cache, and 32,768 on a GPU."
    )  # fmt: skip
    dtype: DtypeName = Field("auto", description="'auto': bfloat16 where the hardware has it.")
    store_dtype: StoreDtype = Field(
        "float32", description="Number format of stored passage embeddings."
    )
    device: str = Field("auto", description="'auto': the first CUDA device, else 'cpu'.")


class ScratchDecoder(Strict):
    """A Qwen3-shaped decoder made here with random weights; it borrows the encoder's tokenizer."""

    layers: int = Field(2, ge=1, description="Decoder layers.")
    hidden: int = Field(384, ge=8, description="Hidden size.")
    heads: int = Field(6, ge=1, description="Attention heads; key-value heads are as many.")
    intermediate: int = Field(1024, ge=8, description="Width of the gated feed-forward layer.")
    output_scale: float = Field(
        0.1, gt=0, description="Factor on the initial output projections: below 1, the untrained "
        "score starts near the encoder's cosine."
    )  # fmt: skip
    token_embeddings: Literal["random", "encoder"] = Field(
        "random", description="Where the token embeddings begin: at random, or as the encoder's "
        "own, scaled alike, so that words have a meaning before training."
    )  # fmt: skip

    @model_validator(mode="after")
    def _whole_heads(self) -> ScratchDecoder:
        if self.hidden % self.heads or (self.hidden // self.heads) % 2:
            raise ValueError(
                f"hidden {self.hidden} is not {self.heads} heads of an even width; choose `heads` "
                "that divide it so"
            )
        return self

    def shape(self, vocabulary: str, added: int = 0) -> DecoderShape:
        """Return its shape, for its FLOPs.

        vocabulary: the model whose vocabulary it uses; added: tokens added to that vocabulary.
        """
        return DecoderShape(
            self.layers, self.hidden, self.heads, self.intermediate, vocabulary, added
        )


class TwoModels(RerankerOptions):
    """An encoder that embeds passages and a decoder that reads the embeddings."""

    encoder: EncoderOptions = EncoderOptions()
    reranker: Annotated[
        Annotated[str, Tag(NAME)] | Annotated[ScratchDecoder, Tag(SHAPE)], NAME_OR_SHAPE
    ] = Field(ScratchDecoder(), description="A decoder's folder or hub id, or a shape made here.")
    reranker_revision: str | None = Field(None, description="Hub commit to pin.")
    reranker_dtype: DtypeName = Field("float32", description="Number format of the reranker.")


class ResRankOptions(TwoModels):
    """ResRank's shape. Where the paper is silent, the default is explained in docs/papers.md."""

    instruction: str = Field("Rank the passages for the query: ", description="Opens the prompt.")
    closing: str = Field("", description="Text after the passages, before the closing token.")
    max_query_tokens: int = Field(128, ge=1, description="Longer queries lose their end.")
    embedding_scale: Literal["unit", "token_norm", "raw"] = Field(
        "token_norm", description="Length of an injected embedding: 1, the mean length of the "
        "reranker's own token embeddings, or as the encoder gives it."
    )  # fmt: skip
    residual_weight: float = Field(
        1.0,
        ge=0,
        description="Weight of the fed embedding in the passage state; 0 is the ablation.",
    )
    query_slot: bool = Field(
        False, description="Ours: feed the query's own embedding at the closing position, and add "
        "it to the closing state as the residual is added to a passage's."
    )  # fmt: skip
    place_encoding: bool = Field(
        False, description="Ours: add the code of a passage's place in the list, a fixed sinusoid "
        "with a learned scale, to its embedding; the query's own stands at place 0."
    )  # fmt: skip
    projector: bool = Field(
        False, description="A bias-free linear map where the hidden sizes differ."
    )
    batch_queries: int = Field(
        16, ge=1, description="Queries in one forward pass; a run hands over 16 at a time."
    )
    padding_side: Literal["right", "left"] = Field(
        "right", description="Where shorter lists of a batch are padded; changes no score."
    )
    window: Window | None = Field(
        None, description="Rerank in sliding windows; unset: all candidates in a single pass."
    )

    @property
    def list_window(self) -> Window | None:
        """Return the sliding windows that a list is reranked in, or None for the whole list."""
        return self.window


class SavedOptions(RerankerOptions):
    """Which saved ResRank, and what may be chosen anew; all else is as it was trained."""

    model: str = Field(description="A folder, a hub id or 'trained:<system>'.")
    revision: str | None = Field(None, description="Hub commit to pin.")
    max_tokens: int | None = Field(
        None, ge=8, description="Longer texts lose their end, in tokens; unset: as in training."
    )
    store_dtype: StoreDtype = Field(
        "float32", description="Number format of stored passage embeddings."
    )
    window: Window | None = Field(
        None, description="Rerank in sliding windows; unset: all candidates in a single pass."
    )
    batch_queries: int = Field(
        16, ge=1, description="Queries in one forward pass; a run hands over 16 at a time."
    )

    @property
    def list_window(self) -> Window | None:
        """Return the sliding windows that a list is reranked in, or None for the whole list."""
        return self.window
