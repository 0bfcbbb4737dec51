"""The encoder LLM: texts to embeddings (ResRank, facts 1 and 8 of docs/papers.md)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from operator import or_
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from torch import Tensor, nn
from transformers import AutoModel, AutoTokenizer

from resrank.io.atomic import write_json
from resrank.model.batch_threads import map_batches
from resrank.model.batches import token_budget_batches
from resrank.model.device import pick_device, pick_dtype
from resrank.model.first_layers import first_layers_of
from resrank.model.hub import locate
from resrank.model.options import EncoderOptions, told
from resrank.model.out_of_memory import in_halves
from resrank.model.padding import pad_ids
from resrank.model.pooling import POOLING_KEYS, model_pooling, pool
from resrank.phases import phase


class Tokens(NamedTuple):
    """Tokenised texts: ids per text, and whether each text was truncated."""

    ids: list[list[int]]
    truncated: list[bool]


class Encoder(nn.Module):
    """A Hugging Face encoder or decoder with pooling and instructions.

    Embeddings have length 1, unless the options say `normalize: false`.
    """

    model: Any
    tokenizer: Any

    def __init__(self, model: nn.Module, tokenizer: Any, options: EncoderOptions) -> None:
        super().__init__()
        self.model = model
        self.tokenizer = tokenizer
        self.options = options
        if options.pooling == "auto":
            raise ValueError("pooling must be decided here: 'last', 'mean' or 'cls'")

    @classmethod
    def from_options(cls, options: EncoderOptions) -> Encoder:
        """Load the model that the options name; `auto` pooling becomes that of its training."""
        folder = locate(options.model, options.revision)
        device = pick_device(options.device)
        dtype = pick_dtype(options.dtype, device)
        part = first_layers_of(folder, options.model, options.layers)
        model = AutoModel.from_pretrained(folder, dtype=dtype, trust_remote_code=False, **part)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        tokenizer.truncation_side = "right"  # the instruction is on the left
        pooling = model_pooling(folder) if options.pooling == "auto" else options.pooling
        check_positions(model, options.max_tokens, options.model)
        encoder = cls(model, tokenizer, options.model_copy(update={"pooling": pooling}))
        return encoder.to(device).eval()

    def save_pretrained(self, folder: Path) -> None:
        """Write weights, tokenizer and pooling; the folder can be loaded like a model's name."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        pooling = {f"pooling_mode_{POOLING_KEYS[self.options.pooling]}": True}
        write_json(folder / "1_Pooling" / "config.json", pooling)

    @property
    def width(self) -> int:
        """Return the number of dimensions of an embedding."""
        return int(self.model.config.hidden_size)

    @property
    def device(self) -> torch.device:
        """Return the device that holds the weights."""
        return next(self.parameters()).device

    @property
    def batch_tokens(self) -> int:
        """Return the most padded tokens in one forward pass."""
        return self.options.batch_tokens or (2048 if self.device.type == "cpu" else 32768)

    @property
    def dtype(self) -> torch.dtype:
        """Return the weights' number format."""
        return next(self.parameters()).dtype

    def tokenize(
        self,
        texts: Sequence[str],
        *,
        query: bool = False,
        max_tokens: int | None = None,
        instructions: Sequence[str] | None = None,
    ) -> Tokens:
        """Return token ids with the instruction in front; only a text's end is truncated.

        max_tokens: a lower limit than the options', as in training. instructions: of each query's
        collection, where the options leave `{instruction}` open. Raises ValueError if an
        instruction leaves no room for the text.
        """
        ending = self._ending()
        limit = min(self.options.max_tokens, max_tokens or self.options.max_tokens) - len(ending)
        openings = self._openings(query, instructions or [""] * max(1, len(texts)))
        for opening in set(openings) - {""}:
            if len(self.tokenizer(opening, verbose=False)["input_ids"]) >= limit:
                raise ValueError(
                    f"the instruction alone fills max_tokens={limit}; raise max_tokens"
                )
        if not texts:
            return Tokens([], [])
        texts, cut_to_words = self._cut_to_words(texts, query)
        texts = [opening + text for opening, text in zip(openings, texts, strict=True)]
        ids = self.tokenizer(  # not verbose: long texts are counted, without a warning
            texts, truncation=False, verbose=False
        )["input_ids"]
        truncated = [len(row) > limit for row in ids]
        if any(truncated):
            cut = self.tokenizer(
                [text for text, long in zip(texts, truncated, strict=True) if long],
                truncation=True,
                max_length=limit,
            )["input_ids"]
            rows = iter(cut)
            ids = [next(rows) if long else row for row, long in zip(ids, truncated, strict=True)]
        truncated = [*map(or_, truncated, cut_to_words)]
        return Tokens([[*row, *ending] for row in ids] if ending else ids, truncated)

    def _cut_to_words(self, texts: Sequence[str], query: bool) -> tuple[Sequence[str], list[bool]]:
        """Return the texts, passages cut to `max_words`, and whether each one was cut."""
        most = self.options.max_words
        if query or most is None:
            return texts, [False] * len(texts)
        words = [text.split() for text in texts]
        cut = [len(one) > most for one in words]
        short = [" ".join(w[:most]) if c else t for t, w, c in zip(texts, words, cut, strict=True)]
        return short, cut

    def _openings(self, query: bool, instructions: Sequence[str]) -> list[str]:
        """Return what stands before each text, given the instructions of their collections."""
        o = self.options
        opening = o.query_instruction if query else o.passage_instruction
        return [told(opening, instruction) for instruction in instructions]

    def _ending(self) -> list[int]:
        """Return the end token that follows every text, if any."""
        if not self.options.end_token:
            return []
        token = self.tokenizer.convert_tokens_to_ids(self.options.end_token)
        if token is None or token == self.tokenizer.unk_token_id:
            raise ValueError(
                f"{self.options.model}: its tokenizer has no token {self.options.end_token!r}"
            )
        return [int(token)]

    def forward(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Embed one batch of token ids: (n, width) float32.

        Lengths are computed in float32: in bfloat16 they would be up to 0.2% off.
        """
        input_ids, mask = pad_ids(ids, self.tokenizer.pad_token_id or 0, self.device)
        hidden = self.model(input_ids=input_ids, attention_mask=mask).last_hidden_state
        pooled = pool(hidden, mask, self.options.pooling).float()
        return nn.functional.normalize(pooled, dim=-1) if self.options.normalize else pooled

    @torch.inference_mode()
    def embed_batch(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Embed one batch of token ids without gradients: (n, width) float32 on the processor."""
        return torch.cat(in_halves(lambda part: self(part).cpu(), ids))

    def embed(
        self,
        texts: Sequence[str],
        *,
        query: bool = False,
        instructions: Sequence[str] | None = None,
    ) -> Tensor:
        """Embed any number of texts without gradients: (n, width) float32, in the order given.

        instructions: as `tokenize` takes them.
        """
        return self.embed_ids(self.tokenize(texts, query=query, instructions=instructions).ids)

    def embed_ids(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Embed token ids as `embed` does, in length-sorted batches under the token budget."""
        out = torch.empty(len(ids), self.width)
        lengths = [len(row) for row in ids]
        batches = list(token_budget_batches(lengths, self.batch_tokens))
        blocks = self.embed_batches([[ids[place] for place in places] for places in batches])
        with phase("encode"):
            for places, block in zip(batches, blocks, strict=True):
                out[places] = block
        return out

    def embed_batches(self, batches: Iterable[Sequence[Sequence[int]]]) -> Iterator[Tensor]:
        """Yield `embed_batch` of each batch, in order; one batch per core on the processor."""
        yield from map_batches(self.embed_batch, batches, self.device)

    def fingerprint(self) -> str:
        """Return a hash of all that embeddings depend on: weights, tokenizer, options, versions."""
        digest = hashlib.sha256(self.weights_hash().encode())
        tokenizer = json.loads(self.tokenizer.backend_tokenizer.to_str())
        for state in ("truncation", "padding"):  # set by the last call, not part of the model
            tokenizer.pop(state, None)
        digest.update(json.dumps(tokenizer, sort_keys=True).encode())
        o = self.options
        about = [o.pooling, o.passage_instruction, o.max_tokens, str(self.dtype), o.store_dtype]
        about += [o.end_token] if o.end_token else []
        about += [] if o.normalize else ["not normalized"]
        about += [f"{o.max_words} words"] if o.max_words else []
        about += [self.batch_tokens, self.device.type, torch.__version__, transformers.__version__]
        digest.update(json.dumps(about).encode())
        return digest.hexdigest()

    def weights_hash(self) -> str:
        """Return the SHA-256 of the weights, tensor by tensor in the order of their names."""
        digest = hashlib.sha256()
        for name, weight in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            flat = weight.detach().cpu().contiguous().flatten()
            digest.update(flat.view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def check_positions(model: Any, max_tokens: int, name: str) -> None:
    """Raise ValueError if a transformers model has fewer positions than `max_tokens`."""
    positions = positions_of(model)
    if positions and max_tokens > positions:
        raise ValueError(
            f"max_tokens {max_tokens} is more than the {positions} positions of {name}; lower it"
        )


def positions_of(model: Any) -> int | None:
    """Return how many positions a transformers model has, or None if its config sets no limit.

    RoBERTa and its kin count positions from behind that of padding, so they have fewer than rows.
    """
    # Configurations of models with relative positions, such as T5's, lack the attribute.
    positions: int | None = getattr(model.config, "max_position_embeddings", None)
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - unused
    return positions
