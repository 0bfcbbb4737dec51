"""Direct preference optimisation (Rafailov et al., NeurIPS 2023, equation 7)."""

from __future__ import annotations

from torch import Tensor, nn


def dpo(chosen: Tensor, rejected: Tensor, chosen_ref: Tensor, rejected_ref: Tensor,
        beta: float) -> Tensor:  # fmt: skip
    """Mean loss over pairs of answers, all (pairs,): whole log-probabilities of the answers.

    The last two are the reference model's, which has no gradient.
    """
    margins = (chosen - chosen_ref) - (rejected - rejected_ref)
    return -nn.functional.logsigmoid(beta * margins).mean()
