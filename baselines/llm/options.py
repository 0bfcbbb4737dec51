"""Options of each kind of back end: transformers, http, replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from resrank.model.options import ENCODER, CausalEncoder, DtypeName, ScratchDecoder, form_of_model
from resrank.options import NAME, SHAPE, Strict
from resrank.work import ModelRef, first_layers


class ScratchLM(ScratchDecoder):
    """A causal language model of Qwen3's architecture with random weights, to be trained."""

    IDENTIFIERS: ClassVar[int] = 100  # [1] to [100] are single tokens

    vocabulary: str = Field(
        "sentence-transformers/all-MiniLM-L6-v2",
        description="Folder or hub id of the model whose tokenizer and token embeddings it starts "
        "with; their width must be `hidden`.",
    )


class TransformersOptions(Strict):
    """A causal language model in this process."""

    kind: Literal["transformers"]
    model: Annotated[
        Annotated[str, Tag(NAME)]
        | Annotated[ScratchLM, Tag(SHAPE)]
        | Annotated[CausalEncoder, Tag(ENCODER)],
        Discriminator(form_of_model),
    ] = Field(
        description="A folder, hub id, GGUF file or wheel (`pypi:...`), the shape of a new model, "
        "or an encoder to make causal."
    )
    revision: str | None = Field(None, description="Hub commit to pin.")
    layers: int | None = Field(
        None,
        ge=1,
        description="Number of layers of a named model to use, the first ones; unset: all.",
    )
    context: int | None = Field(
        None,
        ge=64,
        description="Limit of prompt and answer in tokens, if below the model's positions: "
        "published listwise models were run with 4096.",
    )
    dtype: DtypeName = Field("auto", description="'auto': bfloat16 where the hardware has it.")
    device: str = Field("auto", description="'auto': the first CUDA device, else 'cpu'.")
    batch_tokens: int = Field(16384, ge=1, description="Padded prompt tokens per batch.")
    temperature: float = Field(
        0.0, ge=0, description="0 is greedy; the model's generation config is ignored."
    )
    seed: int = Field(
        0,
        ge=0,
        description="Seed of sampling, combined with each prompt's content.",
    )
    exact_answers: bool = Field(
        False,
        description="Generate exactly as many tokens as a window's permutation has. This measures "
        "an answer's cost with models of random weights; such answers rank nothing.",
    )
    chat_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Arguments of the chat template, e.g. {enable_thinking: false}.",
    )

    @model_validator(mode="after")
    def _layers_of_a_named_model(self) -> TransformersOptions:
        if self.layers is not None and not isinstance(self.model, str):
            raise ValueError(
                f"layers {self.layers} beside a `model` that is made here; set `layers` in `model`"
            )
        return self

    @property
    def named(self) -> ModelRef:
        """Return the reference from which the model's FLOPs are derived."""
        if isinstance(self.model, str):
            return first_layers(self.model, self.layers)
        if isinstance(self.model, CausalEncoder):
            return self.model.named
        return self.model.shape(self.model.vocabulary, ScratchLM.IDENTIFIERS)

    def trained(self, folder: Path | None) -> TransformersOptions:
        """Return the options of the model that training wrote to `folder`; unchanged if None."""
        if folder is None:
            return self
        return self.model_copy(update={"model": str(folder), "revision": None})


RESERVED = {
    "model",
    "messages",
    "prompt",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "seed",
    "stream",
    "n",
    "chat_template_kwargs",
}


class HttpOptions(Strict):
    """An OpenAI-compatible endpoint: vLLM, or a hosted model."""

    kind: Literal["http"]
    url: str = Field(description="Base address, e.g. http://localhost:8000/v1.")
    model: str = Field(description="The model's name there.")
    key_variable: str | None = Field(
        None, description="Environment variable that holds the key; the key is written nowhere."
    )
    in_flight: int = Field(8, ge=1, description="Requests at a time.")
    requests_per_minute: float | None = Field(
        None, gt=0, description="Limit of the rate; unset: none."
    )
    timeout_s: float = Field(
        120, gt=0, description="Seconds after which a try without an answer ends."
    )
    tries: int = Field(6, ge=1, description="Tries per request, with growing waits between them.")
    temperature: float = Field(0.0, ge=0, description="Sampling temperature.")
    seed: int = Field(
        0,
        ge=0,
        description="Seed of sampling, combined with each prompt's content and sent with it.",
    )
    chat_options: dict[str, Any] = Field(
        default_factory=dict,
        description="Arguments of the chat template, e.g. {enable_thinking: false}; sent as "
        "`chat_template_kwargs`, which vLLM, SGLang and `transformers serve` read. Unset: not "
        "sent, as hosted endpoints may refuse the field.",
    )
    length_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens",
        description="The field that limits an answer's length: OpenAI's reasoning models take "
        "`max_completion_tokens` alone.",
    )
    leave_out: list[Literal["temperature", "top_p", "seed"]] = Field(
        default_factory=list,
        description="Fields that are not sent, where an endpoint refuses them; its defaults apply.",
    )
    more: dict[str, Any] = Field(
        default_factory=dict,
        description="Further fields of the request, recorded in manifests too, e.g. "
        "{repetition_penalty: 1.0} if a server takes another default from the model's files.",
    )
    price_in: float | None = Field(None, ge=0, description="Price of a million prompt tokens.")
    price_out: float | None = Field(None, ge=0, description="Price of a million generated tokens.")

    @field_validator("url")
    @classmethod
    def _check_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an http:// or https:// address is needed")
        if parts.username or parts.password or parts.query:
            raise ValueError(
                "the address is written to manifests and transcripts: no user, password or query "
                "in it; name the key's environment variable in `key_variable`"
            )
        return url

    @field_validator("more")
    @classmethod
    def _check_reserved(cls, more: dict[str, Any]) -> dict[str, Any]:
        reserved = sorted(more.keys() & RESERVED)
        if reserved:
            raise ValueError(
                f"{', '.join(reserved)} cannot be given here: each is set by another option "
                "(chat_template_kwargs by `chat_options`, max_completion_tokens by `length_field`)"
            )
        return more

    @model_validator(mode="after")
    def _check_left_out(self) -> HttpOptions:
        if self.temperature > 0 and "temperature" in self.leave_out:
            raise ValueError(
                f"temperature {self.temperature:g} is to be left out; drop it from `leave_out`, or "
                "drop `temperature`"
            )
        return self

    @model_validator(mode="after")
    def _check_prices(self) -> HttpOptions:
        if (self.price_in is None) != (self.price_out is None):
            raise ValueError("give both `price_in` and `price_out`, or neither")
        return self


class ReplayOptions(Strict):
    """A transcript in place of a model."""

    kind: Literal["replay"]
    transcript: Path = Field(
        description="JSONL that an earlier run wrote, or the folder that holds it."
    )
    recorded_with: dict[str, Any] = Field(
        default_factory=dict,
        description="Parameters that distinguish it from the folder's other transcripts, e.g. "
        "{temperature: 0.7}.",
    )

    @property
    def files(self) -> list[Path]:
        """Return the transcripts; if there are none the path itself, to be reported missing."""
        return transcripts(self.transcript) or [self.transcript]


def transcripts(path: Path) -> list[Path]:
    """Return the transcripts in a folder, or the path itself if it is no folder."""
    return sorted(path.glob("*.transcript.*.jsonl")) if path.is_dir() else [path]


BackEnd = Annotated[TransformersOptions | HttpOptions | ReplayOptions, Field(discriminator="kind")]
