"""Gradient caching: gradients through many encoded texts in bounded memory.

The method is from Gao et al., 2021, "Scaling Deep Contrastive Learning Batch Size under Memory
Limited Setup". The texts are embedded without a graph, and the loss's gradient at the embeddings is
kept. Then each chunk is embedded again with a graph, through which that gradient flows. The encoder
runs without dropout, so that both passes give the same embeddings.
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
    """Embeddings of texts for a loss; call `backward` after the loss's own `backward`.

    vectors: (texts, width). Each process embeds its share of the texts and holds all vectors. Do
    not create one inside another autocast.
    """

    def __init__(
        self,
        encoder: Encoder,
        ids: Sequence[list[int]],
        chunk_tokens: int | None,
        mixed: bool | None = False,
    ) -> None:
        """Embed texts.

        ids: token ids of each text. chunk_tokens: most padded tokens per chunk, None for one pass
        with a graph. mixed: compute in bfloat16, as `autocast` takes it.
        """
        self.mixed = mixed
        self.encoder = encoder
        self.run = processes()
        self.ids = self.run.share(ids)
        budget = chunk_tokens or encoder.batch_tokens
        plans = [_chunks(self.run.share(ids, rank), budget) for rank in range(self.run.count)]
        self.chunks = plans[self.run.rank]
        # Sharded weights are gathered in every forward pass, so all processes make equally many.
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
        """Propagate the loss's gradient at the embeddings through the encoder."""
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
        """Return the chunks' embeddings in the order of the texts, (texts, width)."""
        if not blocks:
            return torch.empty(0, self.encoder.width, device=self.encoder.device)
        order = torch.tensor([place for places in self.chunks for place in places])
        return torch.cat(list(blocks))[torch.argsort(order).to(self.encoder.device)]

    def _embed(self, ids: Sequence[list[int]]) -> Tensor:
        # Each pass has a separate autocast context. Both compute the same, and the second does not
        # reuse casts that the first cached without a gradient.
        with autocast(self.mixed, self.encoder.device):
            block: Tensor = self.encoder(ids)
        return block


def _chunks(ids: Sequence[list[int]], budget: int) -> list[list[int]]:
    return list(token_budget_batches([len(row) for row in ids], budget))
