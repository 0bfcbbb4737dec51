"""ResRank: residual passage compression (Ke et al., arXiv 2604.22180; facts in docs/papers.md).

Each passage becomes one embedding; a causal decoder reads the query's tokens and those embeddings
at once; a passage's score is the cosine of its hidden state, with its embedding added back, and
the closing token's hidden state. One forward pass, no generated token.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from resrank.io.atomic import atomic_folder, write_text
from resrank.io.manifest import files_below, output_hashes, write_checked_json
from resrank.model.encoder import Encoder
from resrank.model.hub import locate
from resrank.model.model_card import model_card
from resrank.model.options import DtypeName, ResRankOptions, ScratchDecoder
from resrank.model.reranker_lm import RerankerLM
from resrank.model.saved import read_about, read_tensors
from resrank.phases import phase
from resrank.windows import slide

FORMAT = 1  # of a saved model
INITIAL_SCALE = 20.0  # of the cosine, inside the ranking loss
INITIAL_PLACE_SCALE = 0.5  # length of a place's code beside an embedding's


class Lists(NamedTuple):
    """Queries with their compressed passages, ready for one forward pass.

    query_ids: token ids a query; query_embeddings: (queries, d), used where `query_slot` is on;
    passages: one (n_i, d) tensor a query, ragged.
    """

    query_ids: Sequence[list[int]]
    query_embeddings: Tensor | None
    passages: Sequence[Tensor]


class ResRank(nn.Module):
    """Encoder, optional projector and reranker in one module."""

    def __init__(self, encoder: Encoder, reranker: RerankerLM, options: ResRankOptions) -> None:
        super().__init__()
        self.encoder = encoder
        self.reranker = reranker
        self.options = options
        self.projector = self._make_projector()
        self.log_scale = nn.Parameter(torch.tensor(INITIAL_SCALE).log())
        self.place_scale = (
            nn.Parameter(torch.tensor(INITIAL_PLACE_SCALE)) if options.place_encoding else None
        )
        self.token_norm = reranker.token_norm()
        self._opening_ids = self._token_ids(options.instruction)
        self._closing_ids = self._token_ids(options.closing)

    @classmethod
    def from_options(
        cls,
        options: ResRankOptions,
        encoder_dtype: DtypeName | None = None,
        reranker_dtype: DtypeName | None = None,
    ) -> ResRank:
        """Load or make both parts as the options say.

        encoder_dtype, reranker_dtype: in place of the options', as weights that are trained need
        float32: a step of a low learning rate is lost in bfloat16's rounding.
        """
        encoder = Encoder.from_options(_with_dtype(options.encoder, "dtype", encoder_dtype))
        loaded = _with_dtype(options, "reranker_dtype", reranker_dtype)
        return cls(encoder, RerankerLM.from_options(loaded, encoder), options)

    def query_tokens(self, query: str) -> tuple[list[int], bool]:
        """Prompt token ids of a query, instruction first, and whether the query was cut."""
        text = self._token_ids(query)
        limit = self.options.max_query_tokens
        return [*self._opening_ids, *text[:limit]], len(text) > limit

    def _token_ids(self, text: str) -> list[int]:
        found = self.reranker.tokenizer(text, add_special_tokens=False, verbose=False)
        return list(found["input_ids"])

    @property
    def closing_tokens(self) -> int:
        """Text tokens behind the passages; the closing one's place may be taken by the query's
        embedding."""
        return len(self._closing_ids) + (not self.options.query_slot)

    def compress(self, passages: Sequence[str]) -> Tensor:
        """One unit-length embedding a passage: (n, d) float32. TypeError on what is no text."""
        if isinstance(passages, str) or not all(isinstance(text, str) for text in passages):
            raise TypeError(f"passages: a list of texts is needed, {passages!r:.80} was given")
        return self.encoder.embed(passages)

    def embed_query(self, query: str) -> Tensor:
        """The encoder's embedding of a query, for retrieval: (d,) float32."""
        return self.encoder.embed([query], query=True)[0]

    @torch.inference_mode()
    def score(self, query: str, embeddings: Tensor) -> Tensor:
        """Scores (n,) in [-1, 1] of compressed passages (n, d) of floating-point numbers.

        Raises ValueError on embeddings of another shape or kind, or not finite.
        """
        if not isinstance(query, str):
            raise TypeError(f"query: a text is needed, {query!r:.80} was given")
        self._check_embeddings(embeddings)
        slot = self.embed_query(query).unsqueeze(0) if self.options.query_slot else None
        lists = Lists([self.query_tokens(query)[0]], slot, [embeddings])
        scores: list[Tensor] = self(lists)
        return scores[0]

    def _check_embeddings(self, embeddings: Tensor) -> None:
        given = tuple(embeddings.shape) if isinstance(embeddings, Tensor | np.ndarray) else ()
        wanted = (
            f"embeddings: a float tensor (n, {self.encoder.width}) as `compress` gives is needed "
            "(texts themselves go to `rerank`)"
        )
        if not isinstance(embeddings, Tensor) or not embeddings.is_floating_point():
            raise ValueError(f"{wanted}, {type(embeddings).__name__} {given} was given")
        if len(given) != 2 or given[1] != self.encoder.width:
            raise ValueError(f"{wanted}, shape {given} was given")
        if not embeddings.isfinite().all():
            raise ValueError(f"{wanted}; some numbers of these are not finite")

    def rerank(self, query: str, passages: Sequence[str]) -> list[tuple[int, float]]:
        """(place in `passages`, score), best first.

        Where `window` is set, windows slide over the passages, and a score is that of the last
        window that a passage stood in: it need not fall from rank to rank.
        """
        if not passages:
            return []
        embeddings = self.compress(passages)
        scores = torch.empty(len(passages))

        def order(pieces: Sequence[Sequence[int]]) -> list[list[int]]:
            places = list(pieces[0])
            found = self.score(query, embeddings[places])
            scores[places] = found
            return [torch.argsort(-found, stable=True).tolist()]

        window = self.options.window
        places = [*range(len(passages))]
        if window is None or len(passages) == 1:
            ordered = [places[i] for i in order([places])[0]]
        else:
            (ordered,) = slide([places], window, order)
        return [(place, float(scores[place])) for place in ordered]

    def forward(self, lists: Lists) -> list[Tensor]:
        """Scores of each query's passages: a list of (n_i,) float32 tensors."""
        fed = [self._placed(self._feed(block), first=1) for block in lists.passages]
        slots = None
        if lists.query_embeddings is not None:
            slots = self._feed(lists.query_embeddings)
            slots = slots + self._placed(torch.zeros_like(slots[:1]), first=0)
        rows, starts = self._rows(lists.query_ids, fed, slots)
        side = self.options.padding_side
        inputs = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_side=side)
        lengths = torch.tensor([len(row) for row in rows], device=inputs.device)
        places = torch.arange(inputs.shape[1], device=inputs.device)
        before = inputs.shape[1] - lengths if side == "left" else torch.zeros_like(lengths)
        inside = (places >= before.unsqueeze(1)) & (places < (before + lengths).unsqueeze(1))
        with phase("prefill"):
            padded = self.reranker(inputs, inside.long())
        hidden = [
            states[start : start + len(row)]
            for states, start, row in zip(padded, before.tolist(), rows, strict=True)
        ]
        with phase("score"):
            return [
                self._cosines(
                    hidden[i], starts[i], fed[i], None if slots is None else slots[i], row
                )
                for i, row in enumerate(rows)
            ]

    def _cosines(
        self, hidden: Tensor, start: int, fed: Tensor, slot: Tensor | None, row: Tensor
    ) -> Tensor:
        """Residual passage states against the closing state (facts 4 and 5)."""
        weight = self.options.residual_weight
        states = hidden[start : start + len(fed)] + weight * fed
        closing = hidden[len(row) - 1]
        if slot is not None:
            closing = closing + weight * slot
        return nn.functional.cosine_similarity(states.float(), closing.float().unsqueeze(0), dim=-1)

    def _rows(
        self, query_ids: Sequence[list[int]], fed: Sequence[Tensor], slots: Tensor | None
    ) -> tuple[list[Tensor], list[int]]:
        """Input embeddings a query, [query tokens, passages, closing], and where passages start."""
        lm = self.reranker
        tail = lm.embed_tokens([*self._closing_ids, lm.closing_token])
        rows, starts = [], []
        for i, ids in enumerate(query_ids):
            end = tail if slots is None else torch.cat([tail[:-1], slots[i : i + 1]])
            row = torch.cat([lm.embed_tokens(ids), fed[i], end])
            if len(row) > lm.positions:
                raise ValueError(
                    f"{len(fed[i])} passages and {len(ids)} query tokens make {len(row)} "
                    f"positions; the reranker has {lm.positions}; use fewer candidates"
                )
            rows.append(row)
            starts.append(len(ids))
        return rows, starts

    def _placed(self, fed: Tensor, first: int) -> Tensor:
        """Fed embeddings with the codes of places `first`, `first` + 1, ... added, if wanted.

        The query's embedding stands at place 0. Codes of near places are alike, so that passages
        high in the list start out nearer to the query.
        """
        if self.place_scale is None:
            return fed
        codes = sinusoids(first + len(fed), fed.shape[-1])[first:].to(fed) / fed.shape[-1] ** 0.5
        placed: Tensor = fed + self.place_scale.to(fed.dtype) * self._fed_length() * codes
        return placed

    def _fed_length(self) -> float:
        return self.token_norm if self.options.embedding_scale == "token_norm" else 1.0

    def _feed(self, embeddings: Tensor) -> Tensor:
        """Embeddings as the reranker is fed them: projected and scaled, in its number format."""
        weight = self.reranker.model.get_input_embeddings().weight
        fed = embeddings.to(weight.device)
        if self.projector is not None:
            fed = self.projector(fed)
        if self.options.embedding_scale != "raw":
            fed = nn.functional.normalize(fed, dim=-1) * self._fed_length()
        return fed.to(weight.dtype)

    def _make_projector(self) -> nn.Linear | None:
        given, wanted = self.encoder.width, self.reranker.width
        if given == wanted:
            return None
        if not self.options.projector:
            raise ValueError(
                f"the encoder's embeddings have {given} dimensions, the reranker's hidden states "
                f"{wanted}; choose models of one size or set `projector: true`"
            )
        weight = self.reranker.model.get_input_embeddings().weight
        return nn.Linear(given, wanted, bias=False).to(weight.device)

    def save_pretrained(
        self, folder: Path | str, *, encoder_trained: bool = True, **provenance: Any
    ) -> None:
        """Write the model whole: weights as safetensors, options, tokenizer, provenance.

        encoder_trained: False names the encoder by its weights' hash instead of copying it;
        provenance: JSON values that the model card shows.
        """
        with atomic_folder(Path(folder)) as out:
            self.reranker.model.save_pretrained(out / "reranker")
            self.reranker.tokenizer.save_pretrained(out / "reranker")
            if encoder_trained:
                self.encoder.save_pretrained(out / "encoder")
            extra = {"log_scale": self.log_scale.detach()}
            if self.place_scale is not None:
                extra["place_scale"] = self.place_scale.detach()
            if self.projector is not None:
                extra["projector"] = self.projector.weight.detach()
            save_file(extra, out / "extra.safetensors")
            about = {
                "format": FORMAT,
                "options": self.options.model_dump(mode="json"),
                "encoder": "encoder" if encoder_trained else self.encoder.weights_hash(),
                "token_norm": self.token_norm,
                "provenance": provenance,
                "outputs": output_hashes(files_below(out), out),
            }
            write_checked_json(out / "resrank.json", about)
            write_text(out / "README.md", model_card(about))

    @classmethod
    def from_pretrained(
        cls,
        name: Path | str,
        revision: str | None = None,
        options: ResRankOptions | None = None,
    ) -> ResRank:
        """Load what `save_pretrained` wrote, from a folder or from the hub at a pinned revision.

        options: in place of the saved ones, for other batches or number formats of the same model.
        Raises ValueError if it holds another kind of model or a damaged one, ModelNotFound if it
        cannot be had.
        """
        folder = locate(str(name), revision)
        about = read_about(folder, FORMAT)
        saved = ResRankOptions.model_validate(about["options"])
        options = options or saved
        own: dict[str, Any] = {}
        if about["encoder"] == "encoder":
            own = {"model": str(folder / "encoder"), "revision": None}
        encoder = Encoder.from_options(saved.encoder.model_copy(update=own))
        if not own and encoder.weights_hash() != about["encoder"]:
            raise ValueError(
                f"{folder} was trained on top of another version of {saved.encoder.model!r}: its "
                "weights differ from those found here; pin its revision or train again"
            )
        if options.encoder != saved.encoder:
            encoder = Encoder.from_options(options.encoder.model_copy(update=own))
        parts = options.model_copy(update={"reranker": str(folder / "reranker")})
        model = cls(encoder, RerankerLM.from_options(parts, encoder), options)
        model._load_extra(read_tensors(folder / "extra.safetensors"), about["token_norm"])
        return model.eval()

    def _load_extra(self, extra: dict[str, Tensor], token_norm: float) -> None:
        self.token_norm = token_norm  # as in training, though token embeddings may have moved
        with torch.no_grad():
            self.log_scale.copy_(extra["log_scale"])
            if self.place_scale is not None:
                self.place_scale.copy_(extra["place_scale"])
            if self.projector is not None:
                self.projector.weight.copy_(extra["projector"])


def _with_dtype(options: Any, name: str, dtype: DtypeName | None) -> Any:
    return options if dtype is None else options.model_copy(update={name: dtype})


def sinusoids(places: int, width: int, longest: float = 1000.0) -> Tensor:
    """Fixed codes of the places 0, 1, ... (Vaswani et al., 2017, section 3.5): (places, width)
    float32 of unit variance, with wavelengths up to 2 pi times `longest`."""
    rates = longest ** -torch.linspace(0, 1, (width + 1) // 2 + 1)[:-1]
    angles = torch.arange(places).unsqueeze(1) * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width] * math.sqrt(2)


__all__ = ["Lists", "ResRank", "ResRankOptions", "ScratchDecoder"]
