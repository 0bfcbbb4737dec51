"""Options of each back end of a language model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from resrank.model.options import DtypeName, ScratchDecoder
from resrank.options import NAME, SHAPE, Strict
from resrank.work import FirstLayers, ModelRef


class ScratchLM(ScratchDecoder):
    """A Qwen3-shaped causal language model made here with random weights, to be trained."""

    IDENTIFIERS: ClassVar[int] = 100  # [1] to [100] are tokens of their own

    vocabulary: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2", description="A folder or hub id of the model "
        "whose tokenizer and token embeddings it begins with; they are `hidden` wide."
    )  # fmt: skip


class CausalEncoder(Strict):
    """An encoder's layers made causal, and a new head over its token embeddings, to be trained."""

    encoder: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2", description="A folder or hub id of a model of "
        "BERT's form, whose weights it begins with."
    )  # fmt: skip
    layers: int | None = Field(None, ge=1, description="Its first so many layers; unset: all.")


ENCODER = "<encoder>"


def _form(given: Any) -> str:
    if isinstance(given, str | Path):
        return NAME
    if isinstance(given, CausalEncoder) or (isinstance(given, Mapping) and "encoder" in given):
        return ENCODER
    return SHAPE


class TransformersOptions(Strict):
    """A causal language model in this process."""

    kind: Literal["transformers"]
    model: Annotated[
        Annotated[str, Tag(NAME)]
        | Annotated[ScratchLM, Tag(SHAPE)]
        | Annotated[CausalEncoder, Tag(ENCODER)],
        Discriminator(_form),
    ] = Field(description="A folder or hub id, a shape made here, or an encoder made causal.")
    revision: str | None = Field(None, description="Hub commit to pin.")
    context: int | None = Field(
        None, ge=64, description="Tokens that prompt and answer may have, where that is less than "
        "the model's positions: published listwise models were run with 4096."
    )  # fmt: skip
    dtype: DtypeName = Field("auto", description="'auto': bfloat16 where the hardware has it.")
    device: str = Field("auto", description="'auto': the first CUDA device, else 'cpu'.")
    batch_tokens: int = Field(
        16384, ge=1, description="Padded prompt tokens that are completed at once."
    )
    temperature: float = Field(0.0, ge=0, description="0 is greedy; whatever the model's own "
                               "generation config says.")  # fmt: skip
    seed: int = Field(
        0,
        ge=0,
        description="Of sampling, mixed with each prompt's content; other seeds, other samples.",
    )
    exact_answers: bool = Field(
        False, description="Write as many tokens as a window's permutation has, whatever they are: "
        "what an answer costs, for models of random weights. Such answers rank nothing."
    )  # fmt: skip
    chat_options: dict[str, Any] = Field(
        default_factory=dict, description="For the chat template, e.g. {enable_thinking: false}."
    )

    @property
    def named(self) -> ModelRef:
        """The model as FLOPs are told from it."""
        if isinstance(self.model, str):
            return self.model
        if isinstance(self.model, CausalEncoder):
            return FirstLayers(self.model.encoder, self.model.layers)
        return self.model.shape(self.model.vocabulary, ScratchLM.IDENTIFIERS)

    def trained(self, folder: Path | None) -> TransformersOptions:
        """The same for the model that a training wrote to `folder`, if there is one."""
        if folder is None:
            return self
        return self.model_copy(update={"model": str(folder), "revision": None})


OURS = {"model", "messages", "prompt", "max_tokens", "temperature", "seed", "stream", "n"}


class HttpOptions(Strict):
    """An OpenAI-compatible endpoint: vLLM, or a hosted model."""

    kind: Literal["http"]
    url: str = Field(description="Base address, e.g. http://localhost:8000/v1.")
    model: str = Field(description="The model's name there.")
    key_variable: str | None = Field(
        None, description="Environment variable that holds the key; the key is written nowhere."
    )
    in_flight: int = Field(8, ge=1, description="Requests at a time.")
    requests_per_minute: float | None = Field(None, gt=0, description="Limit of their rate.")
    timeout_s: float = Field(120, gt=0, description="Seconds without an answer that end a try.")
    tries: int = Field(6, ge=1, description="Tries a request, with growing waits between them.")
    temperature: float = Field(0.0, ge=0, description="Sampling temperature.")
    seed: int = Field(
        0, ge=0, description="Of sampling, mixed with each prompt's content and sent with it."
    )
    more: dict[str, Any] = Field(
        default_factory=dict, description="Further fields of the request, which stand in manifests "
        "too, e.g. {repetition_penalty: 1.0} where a server takes another one from the model's own "
        "files."
    )  # fmt: skip
    price_in: float | None = Field(None, ge=0, description="Price of a million prompt tokens.")
    price_out: float | None = Field(None, ge=0, description="Price of a million generated tokens.")

    @field_validator("url")
    @classmethod
    def _no_secret(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an http:// or https:// address is needed")
        if parts.username or parts.password or parts.query:
            raise ValueError(
                "the address stands in manifests and transcripts: no user, password or query in "
                "it; name the key's environment variable in `key_variable`"
            )
        return url

    @field_validator("more")
    @classmethod
    def _none_of_ours(cls, more: dict[str, Any]) -> dict[str, Any]:
        ours = sorted(more.keys() & OURS)
        if ours:
            raise ValueError(f"{', '.join(ours)} cannot stand here: each is set from elsewhere")
        return more

    @model_validator(mode="after")
    def _both_prices(self) -> HttpOptions:
        if (self.price_in is None) != (self.price_out is None):
            raise ValueError("give both `price_in` and `price_out`, or neither")
        return self


class ReplayOptions(Strict):
    """A transcript alone, with no model."""

    kind: Literal["replay"]
    transcript: Path = Field(
        description="JSONL that an earlier run wrote, or the folder that holds it."
    )
    recorded_with: dict[str, Any] = Field(
        default_factory=dict, description="Parameters that tell it from the folder's others, e.g. "
        "{temperature: 0.7}."
    )  # fmt: skip

    @property
    def files(self) -> list[Path]:
        """What is read; the path itself where nothing is found, so that it is missed."""
        return transcripts(self.transcript) or [self.transcript]


def transcripts(path: Path) -> list[Path]:
    """The transcripts that a path names: those in a folder, or itself."""
    return sorted(path.glob("*.transcript.*.jsonl")) if path.is_dir() else [path]


BackEnd = Annotated[TransformersOptions | HttpOptions | ReplayOptions, Field(discriminator="kind")]
