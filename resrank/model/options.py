"""Typed options of the models. They import no torch, so that checking a configuration is quick."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from resrank.options import NAME, SHAPE, Strict
from resrank.reranker_options import RerankerOptions
from resrank.windows import Window
from resrank.work import DecoderShape, ModelRef, first_layers

DtypeName = Literal["auto", "float32", "bfloat16", "float16"]
StoreDtype = Literal["float32", "bfloat16", "int8"]
Pooling = Literal["auto", "last", "mean", "cls"]
InputScale = Literal["unit", "token_norm", "raw"]
Residual = Literal["norm_matched", "as_fed", "raw", "none"]


INSTRUCTION = "{instruction}"
"""Stands for a collection's instruction in the texts of a system's options."""


def told(text: str, instruction: str) -> str:
    """Return a text of the options with the instruction of a query's collection in it.

    Raises ValueError if the text needs an instruction and there is none.
    """
    if INSTRUCTION in text and not instruction:
        raise ValueError(
            f"the instruction {text!r} holds {INSTRUCTION}, which a suite replaces by the "
            "collection's `instruction`; outside of a suite write the text itself"
        )
    return text.replace(INSTRUCTION, instruction)


def _is_unset(value: Any) -> bool:
    """Return whether an option is left out of a file."""
    return value is None


class EncoderOptions(RerankerOptions):
    """How texts are embedded."""

    model: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2",
        description="A folder, a hub id, a GGUF file or one in a wheel (`pypi:...`).",
    )
    revision: str | None = Field(None, description="Hub commit to pin.")
    layers: int | None = Field(
        None, ge=1, description="Number of layers to use, the first ones; unset: all."
    )
    pooling: Pooling = Field(
        "auto", description="'auto': the pooling that the model was trained with."
    )
    query_instruction: str = Field(
        "",
        description="Put before a query; never cut. In a suite `{instruction}` becomes the "
        "collection's `instruction`, as in 'Instruct: {instruction}\\nQuery:'.",
    )
    passage_instruction: str = Field("", description="Put before a passage; never cut.")
    end_token: str = Field(
        "", description="Put after every text and never cut, for a model that expects one which "
        "its tokenizer does not add."
    )  # fmt: skip
    max_tokens: int = Field(
        256, ge=8, description="Most tokens per text; longer texts are truncated."
    )
    max_words: int | None = Field(
        None,
        ge=1,
        exclude_if=_is_unset,  # so that the names of stores without it stay as they were
        description="Most words per passage, cut at white space before it becomes tokens; unset: "
        "`max_tokens` alone.",
    )
    batch_tokens: int | None = Field(
        None,
        ge=8,
        description="Padded tokens per forward pass; unset: 2,048 on a CPU, where they fit in its "
        "cache, and 32,768 on a GPU.",
    )
    dtype: DtypeName = Field("auto", description="'auto': bfloat16 where the hardware has it.")
    normalize: bool = Field(
        True,
        description="Scale embeddings to length 1; false: hand over the pooled last hidden state "
        "as it is, for ResRank's `input_scale: raw` and `residual: raw`; other systems refuse it.",
    )
    store_dtype: StoreDtype = Field(
        "float32", description="Number format of stored passage embeddings."
    )
    device: str = Field("auto", description="'auto': the first CUDA device, else 'cpu'.")

    @property
    def named(self) -> ModelRef:
        """Return the reference from which the encoder's FLOPs are derived."""
        return first_layers(self.model, self.layers)


def _check_unit_length(encoder: EncoderOptions) -> EncoderOptions:
    if not encoder.normalize:
        raise ValueError(
            "`normalize: false` is for ResRank alone: this system is made for embeddings of length "
            "1; leave `normalize` out, or set it to true"
        )
    return encoder


UnitEncoder = Annotated[EncoderOptions, AfterValidator(_check_unit_length)]
"""The options of an encoder whose embeddings have length 1."""


class ScratchDecoder(Strict):
    """A Qwen3-shaped decoder with random weights, which uses the encoder's tokenizer."""

    layers: int = Field(2, ge=1, description="Decoder layers.")
    hidden: int = Field(384, ge=8, description="Hidden size.")
    heads: int = Field(6, ge=1, description="Attention heads; there are as many key-value heads.")
    intermediate: int = Field(1024, ge=8, description="Width of the gated feed-forward layer.")
    output_scale: float = Field(
        0.1, gt=0, description="Factor on the initial output projections: below 1, the untrained "
        "score starts near the encoder's cosine."
    )  # fmt: skip
    token_embeddings: Literal["random", "encoder"] = Field(
        "random",
        description="Initial token embeddings: random, or the encoder's at the same scale, so that "
        "words have a meaning before training.",
    )

    @model_validator(mode="after")
    def _whole_heads(self) -> ScratchDecoder:
        if self.hidden % self.heads or (self.hidden // self.heads) % 2:
            raise ValueError(
                f"hidden {self.hidden} does not divide into {self.heads} heads of an even width; "
                "choose other `heads`"
            )
        return self

    def shape(self, vocabulary: str, added: int = 0) -> DecoderShape:
        """Return the decoder's shape, from which its FLOPs are counted.

        vocabulary: the model whose vocabulary the decoder uses.
        added: number of tokens added to that vocabulary.
        """
        return DecoderShape(
            self.layers, self.hidden, self.heads, self.intermediate, vocabulary, added
        )


class CausalEncoder(Strict):
    """An encoder with causal attention: a small decoder that starts with trained weights.

    As a language model it has a new head over its token embeddings, to be trained.
    """

    encoder: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2",
        description="Folder or hub id of a BERT-style model, whose weights it starts with.",
    )
    layers: int | None = Field(
        None, ge=1, description="Number of layers to use, the first ones; unset: all."
    )

    @property
    def named(self) -> ModelRef:
        """Return the reference from which its FLOPs are derived."""
        return first_layers(self.encoder, self.layers)


ENCODER = "<encoder>"
"""Tag of a model that is made of an encoder."""


def form_of_model(value: Any) -> str:
    """Return the tag of a model in options: a name, an encoder to make causal, or a shape."""
    if isinstance(value, str | Path):
        return NAME
    if isinstance(value, CausalEncoder) or (isinstance(value, Mapping) and "encoder" in value):
        return ENCODER
    return SHAPE


class TwoModels(RerankerOptions):
    """An encoder that embeds passages and a decoder that reads the embeddings."""

    encoder: EncoderOptions = EncoderOptions()
    reranker: Annotated[
        Annotated[str, Tag(NAME)]
        | Annotated[ScratchDecoder, Tag(SHAPE)]
        | Annotated[CausalEncoder, Tag(ENCODER)],
        Discriminator(form_of_model),
    ] = Field(
        CausalEncoder(),
        description="A decoder's folder, hub id, GGUF file or wheel (`pypi:...`), an "
        "encoder to make causal, or the shape of a new decoder.",
    )
    reranker_revision: str | None = Field(None, description="Hub commit to pin.")
    reranker_layers: int | None = Field(
        None, ge=1, description="Number of layers of a named decoder to use, the first ones; "
        "unset: all."
    )  # fmt: skip
    reranker_dtype: DtypeName = Field("float32", description="Number format of the reranker.")

    @model_validator(mode="after")
    def _layers_of_a_named_decoder(self) -> TwoModels:
        if self.reranker_layers is not None and not isinstance(self.reranker, str):
            made = "the shape of a new decoder"
            if isinstance(self.reranker, CausalEncoder):
                made = "an encoder to make causal"
            raise ValueError(
                f"reranker_layers {self.reranker_layers}, but `reranker` is {made}; set its own "
                "`layers`, or name a pretrained decoder"
            )
        return self


class ResRankOptions(TwoModels):
    """ResRank's options. docs/papers.md explains the defaults that the paper does not give."""

    instruction: str = Field(
        "Rank the passages for the query: ", description="Start of the prompt."
    )
    closing: str = Field("", description="Text after the passages, before the closing token.")
    max_query_tokens: int = Field(
        128, ge=1, description="Most tokens per query; longer queries are truncated."
    )
    input_scale: InputScale = Field(
        "token_norm",
        description="Length of an embedding that is fed: 'unit': 1; 'token_norm': the mean length "
        "of the reranker's token embeddings; 'raw': that of the encoder's state.",
    )
    residual: Residual = Field(
        "norm_matched",
        description="What a passage's state becomes, of the reranker's state h and the embedding "
        "e: 'norm_matched': h/|h| + w e/|e|; 'as_fed': h + w e, with e at its `input_scale`; "
        "'raw': h + w e, with e as the encoder hands it over; 'none': h, the ablation.",
    )
    residual_weight: float = Field(
        1.0, ge=0, description="The residual's weight w; 0 is the same as `residual: none`."
    )
    query_slot: bool = Field(
        False, description="Not in the paper: feed the query's embedding at the closing position, "
        "and add it to the closing state by the residual's formula."
    )  # fmt: skip
    place_encoding: bool = Field(
        False, description="Not in the paper: add a code of a passage's place in the list, a fixed "
        "sinusoid with a learned scale, to its embedding; the query has place 0."
    )  # fmt: skip
    projector: bool = Field(
        False,
        description="Use a bias-free linear map, orthogonal before training, if the hidden sizes "
        "differ.",
    )
    batch_queries: int = Field(
        16, ge=1, description="Queries per forward pass; a run passes 16 at a time."
    )
    padding_side: Literal["right", "left"] = Field(
        "right", description="Side on which shorter lists of a batch are padded; changes no score."
    )
    window: Window | None = Field(
        None, description="Rerank in sliding windows; unset: all candidates in a single pass."
    )

    @model_validator(mode="before")
    @classmethod
    def _check_old_key(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "embedding_scale" in value:
            raise ValueError(
                "`embedding_scale` is now `input_scale`, the scale of what is fed; the residual "
                "has a scale of its own, `residual`, and `residual: as_fed` scores as before"
            )
        return value

    @model_validator(mode="after")
    def _raw_needs_lengths(self) -> ResRankOptions:
        scales = {"input_scale": self.input_scale, "residual": self.residual}
        raw = [name for name, scale in scales.items() if scale == "raw"]
        if raw and self.encoder.normalize:
            raise ValueError(
                f"`{raw[0]}: raw` needs the encoder's state at its length: set `encoder: "
                f"{{normalize: false}}`, or another `{raw[0]}`"
            )
        return self

    @property
    def random_part(self) -> str | None:
        """Return "projector" if there may be one, which is random until trained."""
        return "projector" if self.projector else None

    @property
    def list_window(self) -> Window | None:
        """Return the sliding windows that a list is reranked in, or None for the whole list."""
        return self.window


class SavedOptions(RerankerOptions):
    """A saved ResRank, and the options that may differ from its training."""

    model: str = Field(description="A folder, a hub id or 'trained:<system>'.")
    revision: str | None = Field(None, description="Hub commit to pin.")
    max_tokens: int | None = Field(
        None,
        ge=8,
        description="Most tokens per text; longer texts are truncated; unset: as in training.",
    )
    instruction: str | None = Field(
        None, description="Takes the place of the training collection's retrieval instruction. In "
        "a suite it is that of the collection that is reranked; elsewhere, unset: as in training."
    )  # fmt: skip
    store_dtype: StoreDtype = Field(
        "float32", description="Number format of stored passage embeddings."
    )
    window: Window | None = Field(
        None, description="Rerank in sliding windows; unset: all candidates in a single pass."
    )
    batch_queries: int = Field(
        16, ge=1, description="Queries per forward pass; a run passes 16 at a time."
    )

    @property
    def saved_model(self) -> str:
        """Return the saved model."""
        return self.model

    def before_training(self, trained: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the ResRank that the model was before training."""
        encoder = {**trained.get("encoder", {}), "store_dtype": self.store_dtype}
        if self.max_tokens is not None:
            encoder["max_tokens"] = self.max_tokens
        window = None if self.window is None else self.window.model_dump()
        chosen = {"encoder": encoder, "batch_queries": self.batch_queries, "window": window}
        return {**trained, **chosen}

    @property
    def list_window(self) -> Window | None:
        """Return the sliding windows that a list is reranked in, or None for the whole list."""
        return self.window
