"""The network of ResRank: scores of compressed passages in one forward pass.

A causal decoder reads the query's tokens and the passages' embeddings at once. A passage's score is
the cosine of its hidden state, with its embedding added back, and the closing token's hidden state
(facts 2 to 5 of docs/papers.md; `residual.py` has the formula).
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
from resrank.model.residual import Fed, ListStates, cosine_scores
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
        states = self.states(lists)
        with phase("score"):
            return [self.scores(listed) for listed in states]

    def scores(self, states: ListStates) -> Tensor:
        """Return the scores of one list's passages, (n,) float32."""
        return cosine_scores(states, self.options.residual, self.options.residual_weight)

    def states(self, lists: Lists) -> list[ListStates]:
        """Return the decoder's states of each query's passages and of its closing token."""
        blocks = [self._feed(block, first=1) for block in lists.passages]
        queries = [None] * len(blocks) if lists.query_embeddings is None else [
            self._feed(row.unsqueeze(0), first=0) for row in lists.query_embeddings
        ]  # fmt: skip
        rows, starts = self._rows(lists.query_ids, blocks, queries)
        hidden = self._hidden(rows)
        return [
            ListStates(states[start : start + len(block.fed)], states[len(row) - 1 :], block, query)
            for states, row, start, block, query in zip(
                hidden, rows, starts, blocks, queries, strict=True
            )
        ]

    def _hidden(self, rows: Sequence[Tensor]) -> list[Tensor]:
        """Return the decoder's states of each row, (length, width), from one padded batch."""
        side = self.options.padding_side
        inputs = nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_side=side)
        lengths = torch.tensor([len(row) for row in rows], device=inputs.device)
        places = torch.arange(inputs.shape[1], device=inputs.device)
        before = inputs.shape[1] - lengths if side == "left" else torch.zeros_like(lengths)
        inside = (places >= before.unsqueeze(1)) & (places < (before + lengths).unsqueeze(1))
        with phase("prefill"):
            padded = self.reranker(inputs, inside.long())
        return [
            states[start : start + len(row)]
            for states, start, row in zip(padded, before.tolist(), rows, strict=True)
        ]

    def _rows(
        self,
        query_ids: Sequence[list[int]],
        blocks: Sequence[Fed],
        queries: Sequence[Fed | None],
    ) -> tuple[list[Tensor], list[int]]:
        """Return each query's input embeddings, and the place of its first passage.

        A row is [query tokens, passages, closing tokens].
        """
        lm = self.reranker
        tail = lm.embed_tokens([*self._closing_ids, lm.closing_token])
        rows, starts = [], []
        for ids, block, query in zip(query_ids, blocks, queries, strict=True):
            end = tail if query is None else torch.cat([tail[:-1], query.fed])
            row = torch.cat([lm.embed_tokens(ids), block.fed, end])
            if len(row) > lm.positions:
                raise ValueError(
                    f"{len(block.fed)} passages and {len(ids)} query tokens make {len(row)} "
                    f"positions; the reranker has {lm.positions}; use fewer candidates"
                )
            rows.append(row)
            starts.append(len(ids))
        return rows, starts

    def _feed(self, embeddings: Tensor, first: int) -> Fed:
        """Project embeddings, add the codes of places `first`, ..., and scale them to be read."""
        weight = self.reranker.model.get_input_embeddings().weight
        given = embeddings.to(weight.device)
        if self.projector is not None:
            given = self.projector(given)
        lengths = given.norm(dim=-1, keepdim=True).clamp(min=1e-12)
        if self.place_scale is not None:
            given = given + lengths * self._place_codes(first, given)
        scale = self.options.input_scale
        if scale == "raw":
            return Fed(given, given.to(weight.dtype))
        wanted = self.token_norm if scale == "token_norm" else 1.0
        return Fed(given, (given / lengths * wanted).to(weight.dtype))

    def _place_codes(self, first: int, like: Tensor) -> Tensor:
        """Return the codes of places `first`, `first` + 1, ... with `place_encoding`, (n, width).

        They are for embeddings of length 1. The query's embedding has place 0. Codes of near places
        are similar, so that passages high in the list start out nearer to the query.
        """
        assert self.place_scale is not None
        count, width = like.shape
        codes: Tensor = sinusoids(first + count, width)[first:].to(like) / width**0.5
        return codes * self.place_scale.to(like.dtype)

    def _make_projector(self) -> nn.Linear | None:
        """Return the map from the encoder's width to the decoder's, or None if they are equal.

        It starts with orthonormal columns (rows, into a narrower decoder), so that it keeps the
        lengths and cosines of embeddings (Saxe et al., ICLR 2014). Not in the paper, whose models
        have one width (fact 3).
        """
        given, wanted = self.encoder.width, self.reranker.width
        if given == wanted:
            return None
        if not self.options.projector:
            raise ValueError(
                f"the encoder's embeddings have {given} dimensions, the reranker's hidden states "
                f"{wanted}; choose models of one size or set `projector: true`"
            )
        projector = nn.Linear(given, wanted, bias=False)
        nn.init.orthogonal_(projector.weight)
        return projector.to(self.reranker.model.get_input_embeddings().weight.device)


def sinusoids(places: int, width: int, longest: float = 1000.0) -> Tensor:
    """Return fixed codes of the places 0, 1, ... (Vaswani et al., 2017, section 3.5).

    (places, width) float32 of unit variance, with wavelengths up to 2 pi times `longest`.
    """
    rates = longest ** -torch.linspace(0, 1, (width + 1) // 2 + 1)[:-1]
    angles = torch.arange(places).unsqueeze(1) * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width] * math.sqrt(2)
