"""PE-Rank's ranking losses over its decoding steps (arXiv 2406.14848, section 3.4).

Step i chooses the i-th best passage among those that are left: ListMLE (Xia et al., ICML 2008),
weighted by 1 / i. A second prompt, with the passages' text after their embeddings, has the same
loss. The divergence between both prompts' choices lets the prompt without text learn from it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from baselines.pe_rank.model import PERankModel
from baselines.pe_rank.options import PERankTraining
from resrank.training.lists import TrainingList


def list_losses(
    model: PERankModel, item: TrainingList, embeddings: Tensor, options: PERankTraining
) -> dict[str, Tensor]:
    """Return a list's losses by name; those of the prompt with text only where they have a weight.

    embeddings: (n, encoder width), of the list's passages. The target order is by grade. It ends
    where all remaining passages have the same grade: any order of them is right, so steps over
    them teach nothing.
    """
    query, grades = item.query, item.grades
    passages = model.project(embeddings)
    order = sorted(range(len(grades)), key=lambda place: -grades[place])
    steps = sum(grades[place] > grades[order[-1]] for place in order)
    inverse = options.step_weights == "inverse"

    def choices(texts: Sequence[str] | None) -> Tensor:
        states = model.states(query, passages, order[:steps], texts)
        return step_logits(states, passages, order, options.normalise, options.temperature)

    logits = choices(None)
    losses = {"ranking": list_mle(logits, order, inverse)}
    if options.uses_text:
        content = choices(model.prompt.fitting(query, item.texts, options.content_tokens))
        losses["content"] = list_mle(content, order, inverse)
        losses["divergence"] = divergence(logits, content)
    return losses


def step_logits(
    states: Tensor, passages: Tensor, order: Sequence[int], normalise: bool, temperature: float
) -> Tensor:
    """Return (steps, n) logits of the passages, minus infinity for those already chosen.

    states: (steps, width), which choose; passages: (n, width); order: indices, best first.
    normalise: divide states by their length, as the authors' code does.
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
    """Return the sum over steps of -log p(right passage), weighted by 1 / i if `inverse`."""
    target = torch.tensor(order[: len(logits)], device=logits.device)
    losses = nn.functional.cross_entropy(logits, target, reduction="none")
    if inverse:
        losses = losses / torch.arange(1, len(losses) + 1, device=losses.device)
    return losses.sum()


def divergence(logits: Tensor, content: Tensor) -> Tensor:
    """Return the sum over steps of KL(choices with text || choices without)."""
    left = logits.isfinite()
    plain, with_text = (x.log_softmax(dim=-1).masked_fill(~left, 0.0) for x in (logits, content))
    return (with_text.exp() * (with_text - plain)).masked_fill(~left, 0.0).sum()
