"""ResRank's residual: a passage's embedding is added to its state (docs/papers.md, fact 4).

The paper does not say at which length the embedding is added. Behind a pretrained decoder's final
norm, a state is far longer than a token embedding: on Qwen3-4B's shape an embedding that is added
at the length of a token changes no ranking. Both summands are therefore scaled to length 1 by
default.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from resrank.model.options import Residual


class Fed(NamedTuple):
    """Embeddings on their way into the decoder, (n, width) each.

    given: as the encoder hands them over, projected, with the codes of their places.
    fed: the same vectors at the length at which the decoder reads them.
    """

    given: Tensor
    fed: Tensor


class ResidualSum(NamedTuple):
    """The two summands of a residual state, (n, width) float32 each."""

    states: Tensor
    added: Tensor

    @property
    def total(self) -> Tensor:
        """Return the residual states, (n, width)."""
        return self.states + self.added

    @property
    def ratios(self) -> Tensor:
        """Return the length of what is added, relative to the state's, (n,)."""
        ratios: Tensor = self.added.norm(dim=-1) / self.states.norm(dim=-1).clamp(min=1e-12)
        return ratios


class ListStates(NamedTuple):
    """What the decoder makes of one list, before the residual.

    passages: (n, width) its states at the passages. closing: (1, width) its closing state.
    embeddings: the passages as they were fed. query: the query's, with `query_slot`.
    """

    passages: Tensor
    closing: Tensor
    embeddings: Fed
    query: Fed | None


def residual_sum(states: Tensor, embeddings: Fed, residual: Residual, weight: float) -> ResidualSum:
    """Return decoder states (n, width) and what is added to them.

    norm_matched: h/|h| and w * e/|e|. as_fed: h and w * e, at the length at which e was fed. raw: h
    and w * e, at the encoder's length. none, or weight 0: h and zeros.
    """
    states = states.float()
    if residual == "none" or not weight:
        return ResidualSum(states, torch.zeros_like(states))
    if residual == "norm_matched":
        unit = normalize(embeddings.given.float(), dim=-1)
        return ResidualSum(normalize(states, dim=-1), weight * unit)
    added = embeddings.fed if residual == "as_fed" else embeddings.given
    return ResidualSum(states, weight * added.float())


def cosine_scores(states: ListStates, residual: Residual, weight: float) -> Tensor:
    """Return the cosines of residual passage states and the closing state, (n,) float32.

    Facts 4 and 5 of docs/papers.md. With `query_slot`, the closing state has the same residual, of
    the query's embedding.
    """
    passages = residual_sum(states.passages, states.embeddings, residual, weight).total
    closing = states.closing.float()
    if states.query is not None:
        closing = residual_sum(closing, states.query, residual, weight).total
    return cosine_similarity(passages, closing, dim=-1)
