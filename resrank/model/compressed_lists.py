"""Lists whose passages are compressed once, and scored whole or window by window."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch
from torch import Tensor

from resrank.model.out_of_memory import in_halves
from resrank.model.passage_embeddings import PassageEmbeddings
from resrank.model.resrank import Lists, ResRank
from resrank.ranking import Listed, Request


class CompressedLists:
    """The lists of several requests, with what each ranking uses."""

    def __init__(
        self, model: ResRank, embeddings: PassageEmbeddings, requests: Sequence[Request]
    ) -> None:
        self.model = model
        compressed = [embeddings([c.passage for c in candidates]) for _, candidates in requests]
        self.blocks = [torch.from_numpy(vectors) for vectors, _ in compressed]
        self.usages = [usage for _, usage in compressed]
        self.prompts = [model.query_tokens(q.text, q.instruction)[0] for q, _ in requests]
        self.closing_tokens = model.closing_tokens
        self.slots = self._query_slots(requests) if model.options.query_slot else None

    def _query_slots(self, requests: Sequence[Request]) -> Tensor:
        """Return (requests, width) the queries' embeddings, counted as used."""
        encoder = self.model.encoder
        told = [query.instruction for query, _ in requests]
        texts = [query.text for query, _ in requests]
        ids = encoder.tokenize(texts, query=True, instructions=told).ids
        for usage, row in zip(self.usages, ids, strict=True):
            usage.prompt_tokens += len(row)
            usage.query_encoder_tokens += len(row)
        return encoder.embed_ids(ids)

    def scores(self, pieces: Sequence[Sequence[Listed]]) -> list[list[float]]:
        """Return the scores of each piece's passages; one forward pass serves all pieces."""
        filled = [i for i, piece in enumerate(pieces) if piece]
        rows = [pieces[i][0][0] for i in filled]
        scores: list[list[float]] = [[] for _ in pieces]
        if not filled:
            return scores
        values = self._forward(rows, [[place for _, place in pieces[i]] for i in filled])
        for i, row, piece_scores in zip(filled, rows, values, strict=True):
            scores[i] = piece_scores.tolist()
            usage = self.usages[row]
            usage.prompt_tokens += len(self.prompts[row]) + self.closing_tokens
            usage.embedding_slots += len(piece_scores) + (self.slots is not None)
            usage.model_calls += 1
        return scores

    def _forward(self, rows: Sequence[int], places: Sequence[list[int]]) -> list[Tensor]:
        """Return the scores of some places of each row's list."""
        blocks = [self.blocks[row][chosen] for row, chosen in zip(rows, places, strict=True)]
        slots = None if self.slots is None else self.slots[list(rows)]

        def score(batch: Sequence[int]) -> list[Tensor]:
            ids = [self.prompts[rows[i]] for i in batch]
            batch_slots = None if slots is None else slots[list(batch)]
            return list(self.model(Lists(ids, batch_slots, [blocks[i] for i in batch])))

        with torch.inference_mode():
            return list(chain(*in_halves(score, range(len(rows)))))
