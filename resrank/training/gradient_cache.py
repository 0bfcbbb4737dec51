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


class Embedded:
    """Embeddings of texts (n, width) that a loss may use; call `backward` after the loss's own.

    mixed: bfloat16 as in `autocast`. Do not make one inside another autocast.
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
        self.ids = ids
        budget = chunk_tokens or encoder.batch_tokens
        self.chunks = list(token_budget_batches([len(row) for row in ids], budget))
        self.cached = chunk_tokens is not None and len(self.chunks) > 1
        with torch.set_grad_enabled(not self.cached):
            blocks = [self._embed(places) for places in self.chunks]
        order = torch.tensor([place for places in self.chunks for place in places])
        self.vectors: Tensor = torch.cat(blocks)[torch.argsort(order).to(encoder.device)]
        if self.cached:
            self.vectors = self.vectors.detach().requires_grad_()

    def backward(self) -> None:
        """Send the gradient that the loss left at the embeddings through the encoder."""
        if not self.cached or self.vectors.grad is None:
            return
        for places in self.chunks:
            self._embed(places).backward(self.vectors.grad[places])  # type: ignore[no-untyped-call]

    def _embed(self, places: Sequence[int]) -> Tensor:
        # A context of its own: both passes compute alike, and casts that the first one cached
        # without a gradient are not met again by the second.
        with autocast(self.mixed, self.encoder.device):
            block: Tensor = self.encoder([self.ids[place] for place in places])
        return block.float()
