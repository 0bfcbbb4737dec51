"""PE-Rank's ranking losses over the steps of its decoding (arXiv 2406.14848, section 3.4).

Step i chooses the i-th best passage among those that are left: ListMLE (Xia et al., ICML 2008),
weighed by 1 / i. A second prompt, which shows the passages' text behind their embeddings, has the
same loss; the divergence between both prompts' choices lets the one without text learn from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from baselines.pe_rank.model import PERankModel
    from baselines.pe_rank.reranker import PERank


def list_losses(
    model: PERankModel, query: str, embeddings: Tensor, texts: Sequence[str],
    grades: Sequence[int], how: PERank.Training,
) -> dict[str, Tensor]:  # fmt: skip
    """A list's losses by name; those of the prompt with text only where they have a weight.

    The right order is that of the grades, while those left differ: steps over passages of one
    grade teach nothing, since any order of them is right.
    """
    passages = model.project(embeddings)
    order = sorted(range(len(grades)), key=lambda place: -grades[place])
    steps = sum(grades[place] > grades[order[-1]] for place in order)
    inverse = how.step_weights == "inverse"

    def choices(shown: Sequence[str] | None) -> Tensor:
        states = model.states(query, passages, order[:steps], shown)
        return step_logits(states, passages, order, how.normalise, how.temperature)

    logits = choices(None)
    losses = {"ranking": list_mle(logits, order, inverse)}
    if how.shows_text:
        kept = model.prompt.fitting(query, texts, how.content_tokens)
        content = choices(kept)
        losses["content"] = list_mle(content, order, inverse)
        losses["divergence"] = divergence(logits, content)
    return losses


def step_logits(
    states: Tensor, passages: Tensor, order: Sequence[int], normalise: bool, temperature: float
) -> Tensor:
    """(steps, n): each step's logits over the passages, minus infinity for those already chosen.

    states: (steps, width) that choose; passages: (n, width); order: places, best first. normalise:
    divide states by their length, as the authors' code does.
    """
    states = states.float()
    if normalise:
        states = nn.functional.normalize(states, dim=-1)
    logits = states @ passages.float().T / temperature
    chosen = torch.zeros(logits.shape, dtype=torch.bool, device=logits.device)
    for step in range(1, len(logits)):
        chosen[step:, order[step - 1]] = True
    return logits.masked_fill(chosen, -torch.inf)


def list_mle(logits: Tensor, order: Sequence[int], inverse: bool) -> Tensor:
    """Sum over the steps of -log p(the right passage), the i-th weighed by 1 / i if `inverse`."""
    target = torch.tensor(order[: len(logits)], device=logits.device)
    losses = nn.functional.cross_entropy(logits, target, reduction="none")
    if inverse:
        losses = losses / torch.arange(1, len(losses) + 1, device=losses.device)
    return losses.sum()


def divergence(logits: Tensor, content: Tensor) -> Tensor:
    """Sum over the steps of KL(choices of the prompt with text || choices without)."""
    left = logits.isfinite()
    plain, shown = (x.log_softmax(dim=-1).masked_fill(~left, 0.0) for x in (logits, content))
    return (shown.exp() * (shown - plain)).masked_fill(~left, 0.0).sum()
