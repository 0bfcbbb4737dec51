"""The network of ResRank: scores of compressed passages in one forward pass.

A causal decoder reads the query's tokens and the passages' embeddings at once. A passage's score is
the cosine of its hidden state, with its embedding added back, and the closing token's hidden state
(facts 4 and 5 of docs/papers.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from resrank.model.encoder import Encoder
from resrank.model.options import ResRankOptions
from resrank.model.reranker_lm import RerankerLM
from resrank.phases import phase

INITIAL_SCALE = 20.0  # of the cosine, inside the ranking loss
INITIAL_PLACE_SCALE = 0.5  # length of a place's code, relative to an embedding's


class Lists(NamedTuple):
    """Queries with their compressed passages, ready for one forward pass.

    query_ids: token ids per query. query_embeddings: (queries, d), used with `query_slot`.
    passages: one (n_i, d) tensor per query.
    """

    query_ids: Sequence[list[int]]
    query_embeddings: Tensor | None
    passages: Sequence[Tensor]


class ResRankNetwork(nn.Module):
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

    def _token_ids(self, text: str) -> list[int]:
        encoded = self.reranker.tokenizer(text, add_special_tokens=False, verbose=False)
        return list(encoded["input_ids"])

    def forward(self, lists: Lists) -> list[Tensor]:
        """Return the scores of each query's passages: a list of (n_i,) float32 tensors."""
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
        """Return the cosines of residual passage states and the closing state (facts 4 and 5)."""
        weight = self.options.residual_weight
        states = hidden[start : start + len(fed)] + weight * fed
        closing = hidden[len(row) - 1]
        if slot is not None:
            closing = closing + weight * slot
        return nn.functional.cosine_similarity(states.float(), closing.float().unsqueeze(0), dim=-1)

    def _rows(
        self, query_ids: Sequence[list[int]], fed: Sequence[Tensor], slots: Tensor | None
    ) -> tuple[list[Tensor], list[int]]:
        """Return each query's input embeddings, and the place of its first passage.

        A row is [query tokens, passages, closing tokens].
        """
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
        """Add the codes of places `first`, `first` + 1, ... with `place_encoding`.

        The query's embedding has place 0. Codes of near places are similar, so that passages high
        in the list start out nearer to the query.
        """
        if self.place_scale is None:
            return fed
        codes = sinusoids(first + len(fed), fed.shape[-1])[first:].to(fed) / fed.shape[-1] ** 0.5
        placed: Tensor = fed + self.place_scale.to(fed.dtype) * self._fed_length() * codes
        return placed

    def _fed_length(self) -> float:
        return self.token_norm if self.options.embedding_scale == "token_norm" else 1.0

    def _feed(self, embeddings: Tensor) -> Tensor:
        """Project and scale embeddings into the reranker's input space and number format."""
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


def sinusoids(places: int, width: int, longest: float = 1000.0) -> Tensor:
    """Return fixed codes of the places 0, 1, ... (Vaswani et al., 2017, section 3.5).

    (places, width) float32 of unit variance, with wavelengths up to 2 pi times `longest`.
    """
    rates = longest ** -torch.linspace(0, 1, (width + 1) // 2 + 1)[:-1]
    angles = torch.arange(places).unsqueeze(1) * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width] * math.sqrt(2)
