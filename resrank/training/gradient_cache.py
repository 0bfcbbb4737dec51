"""Gradients through many encoded texts in bounded memory (Gao et al., 2021, "Scaling Deep
Contrastive Learning Batch Size under Memory Limited Setup").

The texts are embedded without a graph; the loss's gradient at the embeddings is kept; then each
chunk is embedded again with a graph and that gradient goes through it. The encoder runs without
dropout, so that both passes give the same embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from resrank.model.batches import token_budget_batches
from resrank.model.device import autocast
from resrank.model.encoder import Encoder
from resrank.training.processes import processes


class Embedded:
    """Embeddings of texts (n, width) that a loss may use; call `backward` after the loss's own.

    Each process embeds its share of the texts and holds the vectors of all. mixed: bfloat16 as in
    `autocast`. Do not make one inside another autocast.
    """

    def __init__(
        self,
        encoder: Encoder,
        ids: Sequence[list[int]],
        chunk_tokens: int | None,
        mixed: bool | None = False,
    ) -> None:
        self.mixed = mixed
        self.encoder = encoder
        self.run = processes()
        self.ids = self.run.share(ids)
        budget = chunk_tokens or encoder.batch_tokens
        plans = [_chunks(self.run.share(ids, rank), budget) for rank in range(self.run.count)]
        self.chunks = plans[self.run.rank]
        # Sharded weights are gathered in every forward pass, so each process makes as many.
        rounds = max(map(len, plans)) if self.run.sharded else 0
        self.fillers = [ids[0]] * (rounds - len(self.chunks))
        self.cached = self.run.count > 1 or (chunk_tokens is not None and len(self.chunks) > 1)
        with torch.set_grad_enabled(not self.cached):
            blocks = [self._embed([self.ids[place] for place in places]) for places in self.chunks]
            for filler in self.fillers:
                self._embed([filler])
        self.vectors: Tensor = self.run.interleaved(self._in_order(blocks), len(ids))
        if self.cached:
            self.vectors = self.vectors.detach().requires_grad_()

    def backward(self) -> None:
        """Send the gradient that the loss left at the embeddings through the encoder."""
        if not self.cached:
            return
        whole = self.vectors.grad
        whole = torch.zeros_like(self.vectors) if whole is None else whole
        gradient = self.run.add_up(whole)[self.run.rank :: self.run.count]
        for places in self.chunks:
            block = self._embed([self.ids[place] for place in places])
            block.backward(gradient[places])  # type: ignore[no-untyped-call]
        for filler in self.fillers:
            (self._embed([filler]) * 0.0).sum().backward()  # type: ignore[no-untyped-call]

    def _in_order(self, blocks: Sequence[Tensor]) -> Tensor:
        """The chunks' embeddings in the order of the texts."""
        if not blocks:
            return torch.empty(0, self.encoder.width, device=self.encoder.device)
        order = torch.tensor([place for places in self.chunks for place in places])
        return torch.cat(list(blocks))[torch.argsort(order).to(self.encoder.device)]

    def _embed(self, ids: Sequence[list[int]]) -> Tensor:
        # A context of its own: both passes compute alike, and casts that the first one cached
        # without a gradient are not met again by the second.
        with autocast(self.mixed, self.encoder.device):
            block: Tensor = self.encoder(ids)
        return block


def _chunks(ids: Sequence[list[int]], budget: int) -> list[list[int]]:
    return list(token_budget_batches([len(row) for row in ids], budget))
